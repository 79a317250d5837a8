/** What the review page says, in Vietnamese: of this shape is the English too. */
const decimal = new Intl.NumberFormat("vi-VN", { maximumFractionDigits: 1 });

const gapReasons: Record<string, string> = {
  lost: "Mất gói trên đường truyền", muted: "Nguồn đang tạm dừng", no_keyframe: "Chưa có hình đầy đủ",
  paused: "Nguồn không gửi hình", reconnect: "Nguồn đang nối lại", not_recorded: "Nguồn này không được ghi",
};
const exportStates: Record<string, string> = {
  waiting: "Đang chờ", running: "Đang xuất", finished: "Đã xong", failed: "Không xuất được", cancelled: "Đã hủy",
};
const chapterKinds: Record<string, string> = {
  start: "Bắt đầu ghi", bookmark: "Điểm đánh dấu", joined: "Có người vào", left: "Có người ra", withdrawn: "Rút lại đồng ý ghi",
};
const recordingStates: Record<string, string> = {
  recording: "Đang ghi", sealing: "Đang niêm phong", sealed: "Đã niêm phong", withdrawn: "Đã rút lại đồng ý",
};

const viewers = {
  title: "Mỗi người xem đã nhận được gì", loading: "Đang đọc…", failed: "Chưa đọc được.",
  unknown: "Lịch sử chất lượng không còn giữ gì của ca ghi này.", nobody: "Không có ai xem trong lúc ghi.",
  incomplete: "Còn nhiều hơn mức hiển thị được ở đây.", absent: "Không có mặt hoặc không xem",
  numbered: (role: string, n: number) => `${role} ${n}`, rowLabel: (who: string) => `${who} đã nhận được gì`,
  because: (what: string, why: string) => `${what} – ${why}`,
  levels: {
    full: "Đầy đủ", reduced: "Hình kém hơn", stills: "Ảnh tĩnh", sound: "Chỉ có tiếng", frozen: "Hình đứng",
    nothing: "Không có gì", away: "Mất kết nối",
  },
  reasons: {
    link: "đường truyền không tải được hơn", priority: "nhường cho hình quan trọng hơn", measuring: "đang đo đường truyền",
    loss: "mất gói trên đường truyền", freeze: "hình không chạy tiếp", hidden: "người xem đã ẩn hình", muted: "nguồn đang tạm dừng",
    no_signal: "nguồn không gửi hình", disconnected: "không liên lạc được",
  },
};

export const review = {
  title: "Xem lại",
  library: "Thư viện ca ghi", search: "Tìm ca ghi", searchHelp: "Tên ca, mã, người tham gia – gõ có dấu hay không dấu đều được",
  staff: "Người tham gia", from: "Từ ngày", to: "Đến ngày", go: "Tìm", found: (n: number) => `${n} ca ghi`,
  more: "Còn nhiều ca khác: hãy thu hẹp tìm kiếm.", none: "Không có ca ghi nào phù hợp", noneHelp: "Thử ít chữ hơn hoặc bỏ bớt ngày.",
  untitled: "Ca không tên", open: "Xem", back: "Về thư viện", loading: "Đang mở…", states: recordingStates,
  date: (ms: number) => new Intl.DateTimeFormat("vi-VN", {
    day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Asia/Ho_Chi_Minh",
  }).format(ms),
  time: (ms: number) => new Intl.DateTimeFormat("vi-VN", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: "Asia/Ho_Chi_Minh",
  }).format(ms),
  mark: ",",
  play: "Phát", pause: "Dừng", back10: "Lùi 10 giây", on10: "Tới 10 giây", frameBack: "Lùi một hình", frameOn: "Tới một hình",
  speed: "Tốc độ", speedOf: (n: number) => `${new Intl.NumberFormat("vi-VN").format(n)}×`, slower: "Chậm hơn", faster: "Nhanh hơn",
  sound: "Âm thanh", soundOn: "Bật tiếng", soundOff: "Tắt tiếng",
  position: "Vị trí trong ca ghi", of: (at: string, all: string) => `${at} trên ${all}`,
  timeline: "Dòng thời gian", thumbnails: "Hiện ảnh nhỏ", quality: "Chất lượng nhận được", qualityOf: (share: number, size: string) =>
    `${size === "" ? "" : `${size}, `}mất ${decimal.format(share * 100)} % gói`,
  levels: { good: "Tốt", fair: "Có mất gói", poor: "Mất nhiều gói" },
  viewers, noPicture: "KHÔNG CÓ HÌNH", noSound: "KHÔNG CÓ TIẾNG", gapReasons, waiting: "Đang tải hình…",
  pin: (what: string) => `Phóng to ${what}`, unpin: "Xem tất cả",
  bookmarks: "Điểm đánh dấu và chương", addBookmark: "Đánh dấu lúc này", bookmarkLabel: "Ghi chú cho điểm này", save: "Lưu", cancel: "Hủy",
  removeBookmark: (what: string) => `Xóa ${what}`, live: "đánh dấu khi đang mổ", chapterKinds, goTo: (what: string) => `Tới ${what}`,
  link: "Chép liên kết tới lúc này", linkCopied: "Đã chép liên kết. Người nhận cần có lời mời của phòng này.",
  linkFailed: "Trình duyệt không cho chép. Hãy chép địa chỉ trên thanh địa chỉ.",
  exports: "Xuất ra", form: "Dạng", forms: {
    mp4: "Phim MP4", png: "Ảnh PNG lúc này", jpeg: "Ảnh JPEG lúc này", "dicom-video": "Phim DICOM", "dicom-still": "Ảnh DICOM lúc này",
  } as Record<string, string>,
  cameras: "Camera", clipStart: "Từ lúc", clipEnd: "Đến lúc", setHere: "Lấy lúc này", wholeStart: "Từ đầu", wholeEnd: "Đến hết",
  withSound: "Kèm tiếng", startExport: "Bắt đầu xuất", exportStates,
  progress: (percent: number, rate: number) => `${decimal.format(percent)} %, nhanh gấp ${decimal.format(rate)} lần thời gian thật`,
  left: (s: number) => (s < 90 ? `còn ${Math.ceil(s)} giây` : `còn ${Math.ceil(s / 60)} phút`),
  archive: {
    send: (title: string) => `Gửi tới kho ảnh (PACS: ${title})`, again: (title: string) => `Gửi lại tới kho ảnh (PACS: ${title})`,
    sending: (percent: number) => `Đang gửi tới kho ảnh: ${decimal.format(percent)} %`, stored: "Kho ảnh đã nhận và lưu",
  },
  download: (name: string) => `Tải ${name}`, remove: "Xóa bản xuất", stop: "Hủy xuất",
  derived: "Bản xuất là bản sao. Bản gốc đã niêm phong không thay đổi.",
  marked: "Đã đánh dấu lúc này", markNow: "Đánh dấu", markKey: "Đánh dấu lúc này",
  nothingToMark: "Phòng này chưa mở ca nên chưa đánh dấu được", markFailed: "Chưa đánh dấu được. Hãy thử lại.",
  keys: {
    play: "Phát hoặc dừng", seek: "Lùi hoặc tới 10 giây", frame: "Lùi hoặc tới một hình", speed: "Chậm hơn hoặc nhanh hơn",
    bookmark: "Đánh dấu lúc này", chapters: "Chương trước hoặc sau", sound: "Bật hoặc tắt tiếng", link: "Chép liên kết",
  },
  room: "Phòng",
  subject: {
    title: "Người bệnh trong tệp DICOM (bỏ trống: không ghi tên ai)", id: "Mã người bệnh", name: "Họ và tên", born: "Ngày sinh",
    sex: "Giới tính", sexes: { none: "Không ghi", F: "Nữ", M: "Nam", O: "Khác" },
  },
  use: {
    question: "Bạn xem ca này để làm gì?", kept: "Câu trả lời được ghi vào nhật ký.", watchedFor: (use: string) => `Đang xem để: ${use}`,
    uses: { care: "Chăm sóc người bệnh này", quality: "Kiểm tra chất lượng", teaching: "Giảng dạy" },
    help: {
      care: "Xem lại để điều trị hoặc theo dõi.", quality: "Bình ca, rút kinh nghiệm trong bệnh viện.",
      teaching: "Chỉ mở được khi người bệnh đã đồng ý cho giảng dạy.",
    },
  },
  evidence: {
    verified: "Đã kiểm chứng: nguyên vẹn",
    altered: "KHÔNG KIỂM CHỨNG ĐƯỢC: bản ghi này đã bị sửa sau khi niêm phong, hoặc thiếu một phần. Không dùng làm bằng chứng và không xuất được. Hãy báo quản trị viên.",
  },
  faults: {
    altered: {
      title: "Bản ghi đã bị sửa sau khi niêm phong", steps: ["Không tạo bản sao nào từ bản ghi này.", "Báo quản trị viên: lệnh “loupe recording verify” chỉ ra chỗ bị sửa."],
    },
    teaching_not_consented: {
      title: "Người bệnh chưa đồng ý dùng ca này để giảng dạy",
      steps: ["Không mở được để giảng dạy.", "Nếu người bệnh đồng ý, phòng mổ ghi nhận ở mục “Ca bệnh”."],
    },
    teaching_withdrawn: {
      title: "Người bệnh đã rút lại đồng ý giảng dạy",
      steps: ["Buổi xem đã dừng và không mở lại được để giảng dạy.", "Các bản xuất cho giảng dạy cũng đã bị xóa khỏi máy chủ."],
    },
    archive_unreachable: {
      title: "Không nối được tới kho ảnh PACS", steps: ["Thử lại sau.", "Nếu vẫn lỗi, báo người quản trị: địa chỉ, cổng và tên AE trong cấu hình."],
    },
    archive_refused: { title: "Kho ảnh PACS không nhận tệp", steps: ["Thử lại.", "Nếu vẫn lỗi, báo người quản trị kho ảnh."] },
    no_archive: { title: "Máy chủ này chưa có kho ảnh PACS", steps: ["Báo người quản trị."] },
    treatment_link_declined: {
      title: "Người bệnh không đồng ý cho bác sĩ ở nơi khác tham gia",
      steps: ["Bản ghi của ca này không mở cho chuyên gia ở nơi khác.", "Hãy gọi điện cho phòng mổ nếu cần trao đổi."],
    },
    unknown_recording: { title: "Không có ca ghi này", steps: ["Kiểm tra liên kết.", "Lời mời của bạn có thể dành cho phòng khác."] },
    review_off: { title: "Máy chủ này không giữ ca ghi nào", steps: ["Hỏi người quản trị về khóa chính của phần ghi."] },
    not_permitted: { title: "Vai trò của bạn không được xem lại", steps: ["Xin người tổ chức gửi đúng lời mời."] },
    other: { title: "Chưa thực hiện được", steps: ["Thử lại.", "Nếu vẫn lỗi, đọc mã bên dưới cho người hỗ trợ."] },
  },
};

export type ReviewWords = typeof review;
