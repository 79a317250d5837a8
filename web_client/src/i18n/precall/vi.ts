/** Kiểm tra đường truyền trước cuộc gọi. */
import type { Grade, Item } from "../../client/precall_grades";

const decimal = new Intl.NumberFormat("vi-VN", { maximumFractionDigits: 1 });

const items: Record<Item, string> = {
  websocket: "Kết nối điều khiển (WebSocket)", udp: "Đường hình và tiếng (UDP)", up: "Tốc độ gửi", down: "Tốc độ nhận",
  loss: "Mất gói", rtt: "Độ trễ khứ hồi", device: "Máy này",
};

const verdicts: Record<Grade, string> = {
  good: "XANH: đường truyền tốt", fair: "VÀNG: dùng được, nhưng yếu", poor: "ĐỎ: chưa dùng được", unknown: "Chưa đo được",
};

const words: Record<Grade, string> = { good: "Tốt", fair: "Yếu", poor: "Không đạt", unknown: "Chưa đo được" };

/** Việc cần làm cho mỗi mục không xanh. */
const advice: Record<Item, Record<"fair" | "poor", string>> = {
  websocket: {
    fair: "Mạng phản hồi chậm. Thử dây mạng thay cho Wi-Fi.",
    poor: "Không mở được WebSocket. Nhờ bộ phận CNTT cho phép kết nối HTTPS và WebSocket tới máy chủ này.",
  },
  udp: {
    fair: "Hình đi vòng qua máy trung chuyển. Nhờ bộ phận CNTT mở UDP tới máy chủ để giảm trễ.",
    poor: "UDP bị chặn nên không có hình và tiếng. Nhờ bộ phận CNTT mở cổng UDP của máy chủ (chạy: loupe doctor --preflight).",
  },
  up: {
    fair: "Chỉ gửi được hình nhỏ. Tắt các chương trình đang tải lên; dùng dây mạng.",
    poor: "Đường gửi quá yếu. Dùng dây mạng hoặc mạng khác rồi kiểm tra lại.",
  },
  down: {
    fair: "Sẽ xem hình nhỏ. Đóng các trang đang tải; dùng dây mạng.",
    poor: "Đường nhận quá yếu. Dùng dây mạng hoặc mạng khác; tiếng vẫn được ưu tiên.",
  },
  loss: {
    fair: "Có mất gói: hình có thể giật. Lại gần bộ phát Wi-Fi hoặc dùng dây mạng.",
    poor: "Mất gói nhiều. Dùng dây mạng; nếu vẫn vậy, báo nhà mạng.",
  },
  rtt: {
    fair: "Trễ thấy được khi nói chuyện: chờ người kia nói xong.",
    poor: "Trễ quá lớn để hướng dẫn trực tiếp. Dùng mạng khác.",
  },
  device: {
    fair: "Máy này mã hóa hình không kịp. Đóng bớt chương trình hoặc dùng máy mạnh hơn.",
    poor: "Máy này quá yếu để gửi hình.",
  },
};

export const precall = {
  title: "Kiểm tra đường truyền",
  help: "Mất khoảng 20 giây. Không dùng camera hay micro.",
  start: "Kiểm tra đường truyền",
  again: "Kiểm tra lại",
  print: "In kết quả",
  steps: { websocket: "Đang thử kết nối…", udp: "Đang thử đường hình…", rates: "Đang đo tốc độ…" },
  items,
  verdicts,
  words,
  relayed: "qua máy trung chuyển",
  direct: "trực tiếp",
  blocked: "bị chặn",
  advice: (item: Item, grade: "fair" | "poor") => advice[item][grade],
  rate: (kbit: number) => `${decimal.format(kbit / 1000)} Mbit/s`,
  atLeast: (rate: string) => `ít nhất ${rate}`,
  milliseconds: (ms: number) => `${decimal.format(Math.round(ms))} ms`,
  share: (ratio: number) => `${decimal.format(ratio * 100)} %`,
  refused: "Chưa kiểm tra được lúc này. Chờ nửa phút rồi thử lại.",
  takenAt: (when: string) => `Kiểm tra lúc ${when}`,
};

export type PrecallWords = typeof precall;
