/** Ca bệnh và sự đồng ý, bằng tiếng Việt; bản tiếng Anh có cùng hình dạng. */
import type { Form, Purpose, Relation } from "../client/procedures";

const purposes: Record<Purpose, string> = {
  treatment_link: "Truyền hình để điều trị", recording: "Ghi hình", teaching: "Giảng dạy", outside_viewers: "Người xem bên ngoài",
};
const texts: Record<Purpose, string> = {
  treatment_link: "Hình và tiếng của ca này được gửi cho bác sĩ ở nơi khác để cùng điều trị.",
  recording: "Hình và tiếng của ca này được ghi lại và giữ bí mật. Ông/bà có thể rút lại bất cứ lúc nào.",
  teaching: "Học viên được xem ca này để học. Không ai nói tên của ông/bà.",
  outside_viewers: "Người ngoài bệnh viện này được xem ca này.",
};
const relations: Record<Relation, string> = {
  patient: "Người bệnh", guardian: "Người giám hộ", relative: "Người nhà", representative: "Người đại diện",
};
const forms: Record<Form, string> = {
  written: "Ký trên giấy", spoken: "Nói", read_aloud: "Nghe đọc rồi đồng ý", electronic: "Ký điện tử",
};
const faults: Record<string, string> = {
  no_master_key: "Máy chủ chưa có khóa bảo mật, nên chưa mở được ca. Hãy báo người quản trị.",
  procedure_open: "Phòng này đang có ca khác. Hãy đóng ca đó trước.",
  procedure_closed: "Ca này đã đóng.",
  consent_missing: "Đã có quyết định cho mục này; mở khẩn cấp chỉ dành cho người bệnh không thể hỏi.",
  nothing_to_withdraw: "Chưa có đồng ý nào để rút lại.",
  network: "Không nối được máy chủ. Hãy kiểm tra mạng rồi bấm lại.",
  database_failed: "Máy chủ chưa lưu được. Hãy bấm lại sau ít phút.",
  other: "Chưa làm được. Hãy bấm lại; nếu vẫn lỗi, báo người quản trị.",
};

export const procedure = {
  title: "Ca bệnh", loading: "Đang tải…", reference: "Mã người bệnh (không ghi tên)", name: "Tên ca", open: "Mở ca",
  openHelp: "Chưa mở ca thì chưa ghi hình được.", confirm: "Đã xác nhận người bệnh bằng 2 thông tin",
  confirmed: "Đã xác nhận người bệnh", unconfirmed: "Chưa xác nhận người bệnh", close: "Đóng ca",
  closeConfirm: "Đóng ca này? Sau đó phòng nhận ca khác được.",
  retention: "Lưu bản ghi như", retentions: { clinical: "Hồ sơ bệnh án", teaching: "Tư liệu giảng dạy", test: "Bản thử, lưu ngắn" },
  consents: "Sự đồng ý", who: "Người quyết định", relation: "Là", form: "Cách đồng ý", whoFirst: "Hãy ghi tên người quyết định trước.",
  give: "Đồng ý", refuse: "Không đồng ý", withdraw: "Rút lại",
  states: { given: "Đã đồng ý", refused: "Không đồng ý", withdrawn: "Đã rút lại", none: "Chưa hỏi", emergency: "Mở khẩn cấp" },
  mayRecord: "Được ghi hình", mayNotRecord: (missing: string) => `Chưa được ghi hình: thiếu đồng ý “${missing}”`,
  noProcedure: "Chưa được ghi hình: chưa mở ca",
  emergency: "Cấp cứu: người bệnh không thể hỏi", emergencyHelp: "Người khác sẽ xem lại lý do này.", reason: "Lý do",
  emergencyFor: (purpose: string) => `Mở khẩn cấp: ${purpose}`,
  answerFor: (answer: string, purpose: string) => `${answer}: ${purpose}`,
  purposes, texts, relations, forms, faults,
};

export type ProcedureWords = typeof procedure;
