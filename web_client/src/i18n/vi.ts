/** Tiếng Việt: ngôn ngữ chính. Câu ngắn, động từ trước; không viết tắt mà người dân không quen. */
import { review } from "./review.vi";
import { procedure } from "./procedure.vi";
import { recordingFaults } from "./recording.vi";
import type { Cause, Level } from "../client/quality";
import type { DeviceFault } from "../client/devices";
import type { Reason, Role, SourceType, Step, TroubleCause } from "../client/protocol";
import { operations } from "./operations/vi";
import { precall } from "./precall/vi";

const decimal = new Intl.NumberFormat("vi-VN", { maximumFractionDigits: 1 });

export interface Advice {
  title: string;
  steps: readonly string[];
}

const sourceTypes: Record<SourceType, string> = {
  endoscope: "Nội soi", overhead: "Camera trên bàn mổ", ultrasound: "Siêu âm", monitor: "Máy theo dõi",
  room: "Toàn phòng", microphone: "Micro", other: "Nguồn khác",
};

const roles: Record<Role, string> = {
  surgeon: "Phẫu thuật viên chính", staff: "Ê-kíp phòng mổ", specialist: "Chuyên gia", moderator: "Điều phối viên",
  observer: "Người quan sát", operator: "Vận hành", auditor: "Cán bộ bảo vệ dữ liệu",
};

const levels: Record<Level, string> = {
  good: "Tốt", fair: "Tạm được", poor: "Yếu", lost: "Mất kết nối", unknown: "Đang đo", present: "Đã kết nối",
};

const causes: Record<Exclude<Cause, null>, string> = {
  upload: "đường gửi của bạn", download: "đường nhận của bạn", device: "máy này quá tải", remote: "phía bên kia",
  server: "máy chủ quá tải",
};

/** Ai gặp trục trặc. */
const trouble: Record<TroubleCause, string> = {
  link: "Đường truyền của bạn yếu", publisher: "Đường gửi của phòng mổ yếu", server: "Máy chủ quá tải",
};

/** Còn lại được gì. */
const left: Record<Step, string> = {
  full: "hình kém rõ", reduced: "hình nhỏ hơn", stills: "chỉ còn ảnh tĩnh và tiếng", sound: "chỉ còn tiếng",
  silent: "không nhận được gì, hãy kiểm tra mạng",
};

const theirs: Record<Step, string> = {
  full: "xem hình kém rõ", reduced: "đang xem hình nhỏ", stills: "chỉ xem được ảnh tĩnh", sound: "chỉ nghe được tiếng",
  silent: "không nhận được gì",
};

const reasons: Record<Reason, string> = {
  full: "tốt nhất có thể", shown_small: "đủ cho cỡ đang xem",
  limited: "người vận hành giới hạn", hidden: "bạn đang ẩn", muted: "nguồn đang tạm dừng",
  publisher: "nguồn gửi ít hơn bình thường", no_signal: "nguồn chưa gửi", measuring: "đang đo đường truyền",
  settling: "sắp rõ hơn", priority: "nhường cho nguồn quan trọng hơn", link: "đường truyền của bạn không tải hơn được",
  silent: "không nhận được tin từ máy này",
};

const camera: Record<DeviceFault, Advice> = {
  denied: {
    title: "Camera đang bị chặn",
    steps: ["Bấm vào biểu tượng ổ khóa cạnh địa chỉ trang.", "Chọn “Cho phép” ở mục Camera.", "Bấm “Thử lại”."],
  },
  missing: { title: "Không thấy camera", steps: ["Cắm lại dây camera.", "Bật nguồn camera.", "Bấm “Thử lại”."] },
  in_use: {
    title: "Camera đang được chương trình khác dùng",
    steps: ["Đóng Zalo, Zoom, Teams hoặc trang khác đang mở camera.", "Bấm “Thử lại”."],
  },
  insecure: {
    title: "Trang này chưa an toàn nên trình duyệt không cho dùng camera",
    steps: ["Mở lại bằng đường liên kết bắt đầu bằng https://.", "Nếu không có, hãy hỏi người đã gửi liên kết."],
  },
  cancelled: { title: "Chưa chọn camera", steps: ["Bấm “Thử lại” để chọn."] },
  unknown: { title: "Không mở được camera", steps: ["Rút ra, cắm lại.", "Bấm “Thử lại”."] },
};

const microphone: Record<DeviceFault, Advice> = {
  denied: {
    title: "Micro đang bị chặn",
    steps: ["Bấm vào biểu tượng ổ khóa cạnh địa chỉ trang.", "Chọn “Cho phép” ở mục Micro.", "Bấm “Thử lại”."],
  },
  missing: { title: "Không thấy micro", steps: ["Cắm micro hoặc tai nghe.", "Bấm “Thử lại”."] },
  in_use: {
    title: "Micro đang được chương trình khác dùng",
    steps: ["Đóng Zalo, Zoom, Teams hoặc trang khác đang mở micro.", "Bấm “Thử lại”."],
  },
  insecure: {
    title: "Trang này chưa an toàn nên trình duyệt không cho dùng micro",
    steps: ["Mở lại bằng đường liên kết bắt đầu bằng https://.", "Nếu không có, hãy hỏi người đã gửi liên kết."],
  },
  cancelled: { title: "Chưa chọn micro", steps: ["Bấm “Thử lại” để chọn."] },
  unknown: { title: "Không mở được micro", steps: ["Rút ra, cắm lại.", "Bấm “Thử lại”."] },
};

const screen: Record<DeviceFault, Advice> = {
  denied: { title: "Trình duyệt không cho chia sẻ màn hình", steps: ["Cho phép ghi màn hình trong cài đặt máy."] },
  missing: { title: "Trình duyệt này không chia sẻ được màn hình", steps: ["Dùng Chrome, Edge hoặc Firefox trên máy tính."] },
  in_use: { title: "Không ghi được màn hình này", steps: ["Chọn một cửa sổ khác."] },
  insecure: { title: "Trang này chưa an toàn", steps: ["Mở lại bằng đường liên kết bắt đầu bằng https://."] },
  cancelled: { title: "Chưa chọn màn hình", steps: ["Bấm “Thêm màn hình” để chọn lại."] },
  unknown: { title: "Không chia sẻ được màn hình", steps: ["Thử lại với một cửa sổ khác."] },
};

/** Lỗi khi tham gia hoặc khi phiên kết thúc, theo mã của máy chủ. */
const endings: Record<string, Advice> = {
  left: { title: "Bạn đã rời phòng", steps: ["Bấm “Vào lại” nếu muốn quay lại."] },
  removed: { title: "Bạn đã được mời ra khỏi phòng", steps: ["Liên hệ người điều phối nếu đây là nhầm lẫn."] },
  room_closed: { title: "Buổi này đã kết thúc", steps: ["Bạn có thể đóng trang."] },
  server_draining: { title: "Máy chủ đang dừng để bảo trì", steps: ["Chờ một phút rồi bấm “Vào lại”."] },
  worker_failed: { title: "Máy chủ gặp lỗi", steps: ["Bấm “Vào lại”."] },
  replaced: { title: "Phiên này đã được mở ở nơi khác", steps: ["Chỉ giữ một trang mở, đóng trang này."] },
  closed_4409: { title: "Phiên này đã được mở ở nơi khác", steps: ["Chỉ giữ một trang mở, đóng trang này."] },
  closed_4412: { title: "Bạn đã được mời ra khỏi phòng", steps: ["Liên hệ người điều phối nếu đây là nhầm lẫn."] },
  invitation_invalid: {
    title: "Liên kết mời không còn dùng được",
    steps: ["Liên kết có thể đã hết hạn hoặc bị thu hồi.", "Xin người tổ chức gửi liên kết mới."],
  },
  unauthorized: {
    title: "Liên kết mời không còn dùng được",
    steps: ["Liên kết có thể đã hết hạn hoặc bị thu hồi.", "Xin người tổ chức gửi liên kết mới."],
  },
  not_permitted: { title: "Liên kết này không được vào trang này", steps: ["Xin người tổ chức gửi đúng liên kết."] },
  outside_viewers_not_consented: {
    title: "Người bệnh chưa đồng ý cho người ngoài xem",
    steps: ["Phòng mổ ghi nhận sự đồng ý thì mới vào xem được.", "Hỏi người tổ chức, rồi thử lại."],
  },
  teaching_not_consented: {
    title: "Người bệnh chưa đồng ý dùng ca này để giảng dạy",
    steps: ["Phòng mổ ghi nhận sự đồng ý thì mới vào xem được.", "Hỏi người tổ chức, rồi thử lại."],
  },
  treatment_link_declined: {
    title: "Người bệnh không đồng ý cho bác sĩ ở nơi khác tham gia",
    steps: ["Hãy gọi điện cho phòng mổ nếu cần trao đổi."],
  },
  no_page: { title: "Vai trò này không có trang hình ảnh", steps: ["Người vận hành không xem hình người bệnh."] },
  unknown_room: { title: "Không có phòng này", steps: ["Kiểm tra lại liên kết.", "Xin người tổ chức gửi liên kết mới."] },
  room_full: { title: "Phòng đã đủ người", steps: ["Chờ một lát rồi bấm “Thử lại”."] },
  draining: { title: "Máy chủ đang dừng để bảo trì", steps: ["Chờ một phút rồi bấm “Thử lại”."] },
  network: {
    title: "Không tới được máy chủ",
    steps: ["Kiểm tra dây mạng hoặc Wi-Fi.", "Bấm “Thử lại”."],
  },
};

const otherEnding: Advice = {
  title: "Không vào được phòng", steps: ["Bấm “Thử lại”.", "Nếu vẫn lỗi, đọc mã bên dưới cho người hỗ trợ."],
};

export const vi = {
  code: "vi",
  languageName: "Tiếng Việt",
  product: "Loupe",
  seconds: (s: number) => `${decimal.format(s)} giây`,
  number: (n: number) => decimal.format(n),
  clock: (ms: number) =>
    new Intl.DateTimeFormat("vi-VN", { hour: "2-digit", minute: "2-digit", timeZone: "Asia/Ho_Chi_Minh" }).format(ms),
  pages: { theatre: "Phòng mổ", consult: "Hội chẩn", observe: "Quan sát", review: "Xem lại", start: "Vào phòng" },
  roomName: (id: string) => `Phòng ${id}`,
  sourceTypes,
  roles,
  levels,
  causes,
  standing: {
    trouble, uploadOf: (who: string) => `Đường gửi của ${who} yếu`, left, theirs, again: "lại xem được hình động",
    sentence: (cause: string, rest: string) => `${cause}: ${rest}`,
    news: (name: string, what: string) => `${name}: ${what}`,
  },
  reasons,
  legs: {
    title: "Đường đi của hình và tiếng", upload: (label: string) => `${label} → máy chủ`, download: "Máy chủ → bạn",
    loss: (percent: number) => `mất ${decimal.format(percent)} %`, roundTrip: (ms: number) => `đi về ${decimal.format(ms)} ms`,
    jitter: (ms: number) => `dao động ${decimal.format(Math.round(ms))} ms`,
    carries: (can: number, sent: number) => `tải được ${decimal.format(can)} kbit/s, đang dùng ${decimal.format(sent)}`,
    repair: (percent: number) => `gửi lại ${decimal.format(percent)} %`, nothing: "không gửi hình này",
    sound: "tiếng", noSound: "không gửi tiếng này",
    layer: (index: number, count: number) => (count === 1 ? "một cỡ hình" : `cỡ ${index} trên ${count}`),
    still: (seconds: number) => `ảnh tĩnh mỗi ${decimal.format(seconds)} giây`,
  },
  quality: (level: string, cause: string | null) => (cause === null ? level : `${level}: ${cause}`),
  devices: { video: camera, audio: microphone, screen },
  ending: (code: string): Advice => endings[code] ?? otherEnding,
  errorCode: (code: string) => `Mã lỗi: ${code}`,
  phase: {
    joining: "Đang vào phòng…", joined: "Đã kết nối", live: "TRỰC TIẾP", reconnecting: "Mất kết nối – đang nối lại…",
    ended: "Đã ngắt", offline: "Máy này mất mạng",
    mediaLost: "Hình và tiếng bị ngắt – đang nối lại…", mediaConnecting: "Đang nối hình và tiếng…",
    mediaGoOn: "Hình và tiếng vẫn chạy – đang nối lại máy chủ…", somethingFrozen: "CÓ HÌNH ĐỨNG",
    stills: "ẢNH TĨNH", sound: "CHỈ CÓ TIẾNG",
  },
  tile: {
    live: "TRỰC TIẾP", waiting: "Đang chờ hình…", stalled: "Chưa có hình – nguồn chưa gửi",
    late: (s: number) => `CHẬM ${decimal.format(s)} giây`,
    still: (s: number) => `ẢNH TĨNH, ${decimal.format(s)} giây trước`, withheld: "Đường truyền yếu: tạm ngừng hình này",
    frozen: "HÌNH ĐỨNG", ago: (s: number) => `${decimal.format(s)} giây trước`, recovering: "đang chạy lại…",
    muted: "Nguồn đang tạm dừng", paused: "Bạn đang ẩn nguồn này",
    pin: "Phóng to", unpin: "Thu nhỏ", fullScreen: "Toàn màn hình", hide: "Ẩn", show: "Hiện", from: (n: string) => `từ ${n}`,
    monitorNote: "Hình chụp máy theo dõi – không dùng để theo dõi bệnh nhân",
  },
  lobby: {
    name: "Tên của bạn", namePlaceholder: "Ví dụ: BS. Nguyễn Văn An", join: "Tham gia", joinSending: "Tham gia và truyền",
    joining: "Đang vào…", camera: "Camera", microphone: "Micro", cameraOn: "Dùng camera", level: "Mức âm thanh",
    heard: "Micro tốt: đã nghe thấy tiếng.", noSignal: "Hãy nói thử: chưa nghe thấy tiếng.",
    withoutDevices: "Vẫn tham gia, chỉ xem và nghe", retry: "Thử lại", rejoin: "Vào lại",
    allow: "Trình duyệt sẽ hỏi: hãy bấm “Cho phép”.", watchOnly: "Bạn sẽ xem và nghe. Không ai thấy hoặc nghe bạn.",
    willSend: (what: string) => `Sẽ truyền: ${what}`, nothingToSend: "Chưa chọn nguồn nào để truyền",
    nowhere: "Địa chỉ này không dẫn tới phòng nào: liên kết có thể bị cắt mất một phần. Hãy dán lại cả liên kết, hoặc xin người mời gửi lại.",
    codeTitle: "Nhập mã mời", codeHelp: "Dán liên kết hoặc mã bạn nhận được.", codeLabel: "Liên kết hoặc mã mời",
    codeGo: "Tiếp tục", codeEmpty: "Ô này đang trống: hãy dán liên kết hoặc mã mời.", checking: "Đang kiểm tra lời mời…",
    wrongPage: (role: string) => `Lời mời này dành cho: ${role}`, goThere: "Mở đúng trang",
    safety: "Loupe dùng để hội chẩn và giảng dạy. Không điều khiển dụng cụ từ xa.",
    noPreview: "Chưa có hình xem trước", defaultDevice: "Thiết bị mặc định", preview: "Hình xem trước",
  },
  theatre: {
    sources: "Nguồn của phòng mổ", addCamera: "Thêm camera", addScreen: "Thêm màn hình", addMicrophone: "Thêm micro",
    type: "Loại hình", label: "Tên hiển thị", device: "Thiết bị", start: "Truyền nguồn này", starting: "Đang bắt đầu…",
    stop: "Dừng truyền", stopAll: "Dừng tất cả", remove: "Bỏ", mute: "Tạm dừng", unmute: "Truyền tiếp",
    muteSound: "Tắt tiếng", unmuteSound: "Bật tiếng", sendingNow: "ĐANG TRUYỀN", mutedNow: "ĐANG TẠM DỪNG",
    soundMuted: "ĐÃ TẮT TIẾNG", connecting: "Đang nối…", notSending: "Chưa truyền",
    nothingLive: "Chưa truyền gì", ended: "Thiết bị đã ngừng gửi hình. Kiểm tra dây rồi thêm lại.",
    count: (video: number, audio: number) => `${video} hình, ${audio} tiếng`,
    measured: (w: number, h: number, fps: number, kbit: number) =>
      w === 0 ? `${decimal.format(Math.round(kbit))} kbit/s` : `${w}×${h}, ${Math.round(fps)} hình/giây, ${decimal.format(Math.round(kbit))} kbit/s`,
    remote: "Chuyên gia và người tham gia", nobody: "Chưa có ai khác trong phòng.", stopAllConfirm: "Dừng mọi nguồn đang truyền",
    failed: "Chưa truyền được nguồn này. Bấm “Truyền nguồn này” để thử lại.",
  },
  precall,
  operations,
  consult: {
    empty: "Chưa có hình từ phòng mổ", emptyHelp: "Hình sẽ tự hiện khi phòng mổ bắt đầu truyền.",
    talk: "Bật micro", talking: "Đang nói", muted: "Đã tắt tiếng", mute: "Tắt micro", noMicrophone: "Chưa có micro",
    holdToTalk: "Giữ phím cách để nói", cameraOn: "Bật camera", cameraOff: "Tắt camera", all: "Tất cả",
    people: "Người tham gia", chat: "Tin nhắn", chatPlaceholder: "Viết tin nhắn", send: "Gửi", chatEmpty: "Chưa có tin nhắn.",
    chatFailed: "Tin chưa gửi được. Hãy thử lại.", close: "Đóng", you: "bạn", hidden: "Nguồn đang ẩn",
    unread: (n: number) => `${n} tin mới`,
  },
  sound: { tap: "Chạm để nghe tiếng", on: "Đang nghe", off: "Đã tắt loa", turnOff: "Tắt loa", turnOn: "Bật loa" },
  bar: { leave: "Rời phòng", help: "Phím tắt", language: "Ngôn ngữ", link: "Mạng của bạn" },
  endRoom: {
    button: "Kết thúc buổi", title: "Kết thúc buổi này cho tất cả mọi người?", no: "Không, tiếp tục",
    what: (n: number) => `Cả ${n} người mất hình và tiếng ngay lập tức. Lời mời vẫn còn hiệu lực.`,
    failed: "Buổi chưa kết thúc được. Hãy thử lại.",
  },
  toast: {
    deviceAdded: "Có thiết bị mới vừa cắm vào", deviceRemoved: "Một thiết bị vừa bị rút ra",
    joined: (n: string) => `${n} vừa vào`, left: (n: string) => `${n} đã rời đi`, someone: "Một người",
    backOnline: "Đã kết nối lại",
  },
  review,
  procedure,
  recording: {
    on: "ĐANG GHI HÌNH", start: "Bắt đầu ghi hình", stop: "Dừng ghi hình",
    diskLow: (minutes: number) => (minutes < 1
      ? "Ổ đĩa ghi hình sắp đầy. Báo người quản trị NGAY." : `Ổ đĩa ghi hình chỉ còn chỗ khoảng ${minutes} phút. Báo người quản trị ngay.`),
    failing: "Ca này ĐANG KHÔNG ĐƯỢC GHI. Báo người quản trị ngay; ca mổ vẫn tiếp tục.",
    interrupted: "Bản ghi trước đã ngừng. Phòng này HIỆN KHÔNG ĐƯỢC GHI.", goOn: "Ghi tiếp", leaveOff: "Không ghi nữa",
    faults: recordingFaults,
  },
  keys: {
    title: "Phím tắt", close: "Đóng", mute: "Bật hoặc tắt micro", talk: "Giữ để nói", camera: "Bật hoặc tắt camera",
    pin: "Phóng to nguồn số 1 đến 9", unpin: "Trở về tất cả", full: "Toàn màn hình", chat: "Mở hoặc đóng tin nhắn",
    help: "Mở bảng này", space: "Phím cách", speaker: "Bật hoặc tắt loa",
  },
};

export type Dictionary = typeof vi;
