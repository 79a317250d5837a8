/** Trang vận hành. */
import type { SeriesKey } from "../../operations/series";
import type { LegState } from "../../operations/path";
import type { BoardRow, Evidence, Finding, LegSample, SourceSample, TimelineEvent, ViewSample } from "../../operations/model.generated";
import { vi as said } from "./said.generated";

const decimal = new Intl.NumberFormat("vi-VN", { maximumFractionDigits: 1 });

const exact = new Intl.DateTimeFormat("vi-VN", { dateStyle: "short", timeStyle: "medium" });

const clock = new Intl.DateTimeFormat("vi-VN", { timeStyle: "medium" });

const states: Record<BoardRow["state"], string> = {
  hurt: "BỊ ẢNH HƯỞNG", watch: "CẦN THEO DÕI", good: "TỐT", unknown: "CHƯA CÓ DỮ LIỆU",
};
const classes: Record<BoardRow["clinical_class"], string> = {
  surgery: "Phẫu thuật", emergency: "Hội chẩn cấp cứu", consult: "Hội chẩn", teaching: "Giảng dạy", test: "Thử",
};
const legStates: Record<LegState, string> = { good: "tốt", watch: "theo dõi", hurt: "bị ảnh hưởng", down: "mất kết nối" };
const pictures: Record<NonNullable<SourceSample["picture"]>, string> = {
  black: "hình đen", over_exposed: "hình quá sáng", blurred: "hình mờ", corrupt: "hình hỏng", unchanged: "hình không đổi",
  test_pattern: "hình thử", not_watched: "hình không được kiểm tra tự động",
};
const views: Record<ViewSample["state"], string> = {
  forwarding: "đang chuyển", switching: "đang đổi mức", awaiting_keyframe: "chờ khung chính", nothing_flows: "không có gì tới",
  paused_by_viewer: "người xem tạm ẩn",
};
const viewReasons: Record<NonNullable<ViewSample["reason"]>, string> = said.reasons;
const series: Record<SeriesKey, string> = {
  upRate: "Gửi lên", downRate: "Nhận về", upLoss: "Mất gói khi gửi", downLoss: "Mất gói khi nhận", upRtt: "Khứ hồi khi gửi",
  downRtt: "Khứ hồi khi nhận", trackRate: "Tốc độ", trackFrames: "Hình mỗi giây", trackLoss: "Mất gói", trackDelay: "Trễ tới màn hình",
};
const events: Record<TimelineEvent["kind"], string> = said.kinds;
const measures: Record<Evidence["measure"], string> = said.measures;
const phases: Record<LegSample["phase"], string> = said.phases;
const severities: Record<Finding["severity"], string> = { watch: "theo dõi", hurt: "bị ảnh hưởng" };

export const operations = {
  title: "Vận hành",
  board: "Các phòng đang hoạt động",
  columns: { state: "Trạng thái", clinical: "Loại", room: "Phòng", cause: "Nguyên nhân", since: "Đã kéo dài", action: "Việc cần làm", people: "Người / nguồn" },
  states, classes, legStates, pictures, views, viewReasons, series, events, severities, measures, phases,
  directions: { publish: "gửi lên", subscribe: "nhận về" },
  levels: (layers: string) => `mức ${layers}`,
  noPicture: "không có hình",
  noRooms: "Không có phòng nào đang mở.",
  noRoomsHelp: "Phòng xuất hiện ở đây khi có người vào.",
  loading: "Đang lấy dữ liệu…",
  dataAge: (s: number) => `Dữ liệu ${decimal.format(Math.round(s))} giây trước`,
  noData: "Chưa có dữ liệu",
  stale: (s: number | null) =>
    s === null ? "DỮ LIỆU CŨ – không tin bảng này" : `DỮ LIỆU CŨ ${decimal.format(Math.round(s))} giây – không tin bảng này`,
  staleHelp: "Máy chủ không trả lời hoặc không đo nữa. Kiểm tra mạng và máy chủ; các phòng có thể đã thay đổi.",
  surgeries: (n: number) => (n === 0 ? "Không có ca mổ nào" : `${n} ca mổ đang trực tiếp`),
  alerts: (n: number) => (n === 0 ? "Không có cảnh báo" : `${n} cảnh báo`),
  bellOn: "Chuông: bật", bellOff: "Chuông: tắt",
  since: (s: number) =>
    s < 60 ? `${Math.round(s)} giây` : s < 3600 ? `${Math.floor(s / 60)} phút` : `${Math.floor(s / 3600)} giờ ${Math.floor((s % 3600) / 60)} phút`,
  people: (people: number, viewers: number, sources: number) => `${people} người, ${viewers} xem, ${sources} nguồn`,
  recording: "Đang ghi",
  back: "Về bảng",
  gone: "Phòng này không còn mở.",
  server: "Máy chủ",
  version: (v: string) => `Phiên bản ${v}`,
  load: (worker: number, ratio: number) => `Luồng ${worker}: ${Math.round(ratio * 100)} %`,
  lag: (s: number) => `Trễ điều khiển ${decimal.format(s * 1000)} ms`,
  diskFull: (s: number) =>
    `Đĩa đầy sau ${s < 172_800 ? `${decimal.format(s / 3600)} giờ` : `${Math.floor(s / 86_400)} ngày`}`,
  diskFree: (bytes: number) => `Đĩa còn ${decimal.format(bytes / 1e9)} GB`,
  historyDropped: (n: number) => `Lịch sử: ${n} mục đã bị bỏ (kho đầy, hoặc đĩa quá chậm)`,
  draining: "ĐANG DỪNG NHẬN NGƯỜI MỚI",
  canary: (delay: number | null, loss: number | null) =>
    `Phiên thử: trễ ${delay === null ? "–" : `${Math.round(delay * 1000)} ms`}, mất ${loss === null ? "–" : `${decimal.format(loss * 100)} %`}`,
  canarySilent: (s: number) => `Phiên thử im lặng ${Math.round(s)} giây`,
  path: "Đường đi của hình",
  sends: "gửi", watches: "xem",
  more: (n: number) => `và ${n} người khác`,
  nobodySends: "Chưa ai gửi", nobodyWatches: "Chưa ai xem",
  leg: (state: string, rtt: number | null, loss: number | null, bits: number) =>
    `${state}; khứ hồi ${rtt === null ? "–" : `${Math.round(rtt * 1000)} ms`}, mất ${loss === null ? "–" : `${decimal.format(loss * 100)} %`}, ${decimal.format(bits / 1e6)} Mbit/s`,
  relayed: "qua trung chuyển",
  participants: "Người tham gia",
  sources: "Nguồn gửi",
  watched: "Đang xem",
  looks: (watched: number, sources: number, s: number | null) =>
    `Kiểm tra hình: ${watched}/${sources} nguồn${s === null ? "" : `, khoảng ${decimal.format(s)} giây một lần`}`,
  looked: (s: number) => `hình được kiểm tra ${Math.round(s)} giây trước`,
  claims: (s: number) => `Số liệu trình duyệt ${Math.round(s)} giây trước`,
  track: (layers: string, bits: number, fps: number | null) =>
    `mức ${layers}, ${decimal.format(bits / 1e6)} Mbit/s${fps === null ? "" : `, ${Math.round(fps)} hình/giây`}`,
  none: "không có",
  charts: "Mười phút qua",
  noSamples: "Chưa có mẫu nào.",
  summary: (name: string, last: string, least: string, most: string) => `${name}: hiện ${last}, thấp nhất ${least}, cao nhất ${most}`,
  units: {
    bits: (v: number) => `${decimal.format(v / 1e6)} Mbit/s`, ratio: (v: number) => `${decimal.format(v * 100)} %`,
    seconds: (v: number) => `${decimal.format(v * 1000)} ms`, frames: (v: number) => decimal.format(v),
    bytes: (v: number) => `${decimal.format(v / 1e9)} GB`, wholeSeconds: (v: number) => `${decimal.format(v)} giây`,
    minutes: (v: number) => `${Math.round(v)} phút`, hours: (v: number) => `${decimal.format(v)} giờ`,
  },
  moment: "Lúc",
  clock: (ms: number) => clock.format(ms),
  timeline: "Dòng thời gian",
  noEvents: "Chưa có sự kiện trong mười phút qua.",
  findings: "Sự cố",
  noFindings: "Không có sự cố.",
  evidence: (measure: string, value: string, limit: string) => `${measure}: ${value} (ngưỡng ${limit})`,
  report: "Báo cáo sự cố (in được)",
  actions: {
    keyframe: "Xin khung chính", thumbnail: "Xem một hình", mute: "Tạm dừng nguồn", unmute: "Truyền tiếp nguồn", limit: "Giới hạn mức cao nhất",
    unlimited: "Không giới hạn", level: (n: number) => `Mức ${n}`, reconnect: "Chuyển đường (nối lại)", remove: "Mời ra khỏi phòng",
    drain: "Dừng máy chủ để bảo trì",
  },
  confirm: {
    title: "Xác nhận", yes: "Xác nhận", no: "Hủy", working: "Đang thực hiện…", done: "Đã thực hiện.",
    keyframe: (what: string) => `Xin một khung chính của ${what}. Hình có thể giật một chút.`,
    thumbnail: (what: string) =>
      `Hiện một hình nhỏ của ${what} ngay lúc này. Có thể thấy người bệnh; việc xem được ghi vào nhật ký kiểm tra. Không ai lưu hình.`,
    shown: "Hình bạn yêu cầu", close: "Đóng",
    unseen: (code: string) => {
      if (code === "picture_not_watched") return "Máy chủ không kiểm tra hình của nguồn này nên không lấy được hình.";
      if (code === "outside_viewers_not_consented" || code === "teaching_not_consented") {
        return "Người bệnh chưa đồng ý cho người ngoài xem nên không hiện hình.";
      }
      if (code === "no_picture_yet") return "Sau 3 giây vẫn không có hình: nguồn có thể đang tạm dừng hoặc đường truyền kém. Hãy thử lại.";
      if (code === "limit_reached") return "Có người đang xin hình. Hãy thử lại sau giây lát.";
      return `Không lấy được hình (mã: ${code}).`;
    },
    mute: (what: string) => `${what} sẽ không còn được chuyển tới ai.`,
    unmute: (what: string) => `${what} lại được chuyển tới người xem.`,
    limit: (what: string, level: string) => `Mọi người xem ${what} nhận nhiều nhất: ${level}.`,
    reconnect: (who: string) => `${who} bị ngắt và tự vào lại ngay; hình và tiếng mất vài giây.`,
    remove: (who: string) => `${who} bị đưa ra khỏi phòng và không tự vào lại.`,
    drain: "Máy chủ không nhận người mới, báo mọi người chuyển đi, rồi dừng.",
    unexcused: "Đang có ca mổ hoặc cấp cứu trong phòng này: việc này làm gián đoạn ca.",
    reason: "Lý do (ít nhất 10 ký tự, được lưu vào nhật ký kiểm tra)",
    interlock: (n: number) => `${n} ca mổ đang trực tiếp: từ chối khởi động lại.`,
    failed: (code: string) => `Không thực hiện được (mã: ${code}).`,
  },
  past: {
    open: "Xem lại các phòng đã qua", title: "Các phòng đã qua", day: "Ngày", search: "Tìm tên phòng", none: "Ngày này không có phòng nào như vậy.",
    opened: "Mở lúc", closed: "Đóng lúc", standing: "đang mở",
    sealed: (n: number) => `Còn ${n} phòng mà máy chủ này không đọc được tên: gõ đúng cả tên phòng rồi nhấn Enter.`, moment: (ms: number) => exact.format(ms),
    window: (from: number, to: number) => exact.formatRange(from, to), from: "Xem từ lúc",
    earlier: "Mười phút trước đó", later: "Mười phút sau đó", more: "Có nhiều số liệu hơn mức hiện được: bảng và biểu đồ bên dưới chưa đủ.",
    dropped: (ms: number) => `Số liệu trước ${exact.format(ms)} đã bị bỏ: kho đầy, hoặc quá hạn giữ.`,
    nobody: "Không có ai trong phòng vào lúc này.", choose: "Chọn một người để xem họ đã thấy gì.",
    at: (ms: number) => `Vào lúc ${exact.format(ms)}`, absent: "Không có số liệu về người này vào lúc đó.",
    sent: (what: string) => `Gửi ${what}`, saw: (what: string) => `Xem ${what}`,
    froze: (s: number) => `hình đứng ${decimal.format(s)} giây`, nothing: "Không gửi và không xem gì.",
    charts: "Biểu đồ của mười phút này", noEvents: "Không có sự kiện trong mười phút này.",
  },
  csv: "Số liệu (bảng CSV)",
  openReport: "Mở báo cáo",
  fileFailed: (code: string) => {
    if (code === "network") return "Không lấy được: máy chủ không trả lời. Hãy thử lại.";
    if (code === "timeout") return "Máy chủ làm quá lâu. Hãy thử lại, hoặc chọn khoảng thời gian ngắn hơn.";
    if (code === "limit_reached") return "Nhiều người đang lấy báo cáo. Hãy thử lại sau một phút.";
    return `Không lấy được. Báo người quản trị mã ${code}.`;
  },
  noPictures: "Trang này không bao giờ hiện hình người bệnh.",
  fewPictures: "Trang này chỉ hiện một hình nhỏ khi có người yêu cầu; mỗi lần đều được ghi vào nhật ký kiểm tra.",
  access: "Không xem được trang này",
  accessHelp: ["Cần liên kết mời vai trò vận hành.", "Xin người quản trị: loupe token --room '*' --role operator --invitation"],
};

export type OperationsWords = typeof operations;
