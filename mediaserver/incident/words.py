"""The report's words in Vietnamese and English, and how each language writes numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mediaserver.clinical import ClinicalClass
from mediaserver.operations.model import TimelineKind
from mediaserver.policy import Role

Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class Words:
    """All texts of one language."""

    title: str
    room: str
    clinical_class: str
    span: str
    made: str
    no_identity: str
    truncated: str
    dropped: str
    causes: str
    nothing_found: str
    nothing_known: str
    cause: str
    severity: str
    who: str
    began: str
    ended: str
    still: str
    evidence: str
    action: str
    legs: str
    direction: str
    up: str
    down: str
    mean_rate: str
    loss_before: str
    loss_after: str
    round_trip: str
    freezes: str
    p95: str
    charts: str
    resolution: str
    shaded: str
    times: str
    rate: str
    frames: str
    freeze: str
    timeline: str
    time: str
    event: str
    detail: str
    version: str
    configuration: str
    setting: str
    value: str
    usual: str
    """The default, where another value is in force."""
    limit: str
    no_limit: str
    on: str
    off: str
    days: str
    participants: str
    hurt: str
    watch: str
    roles: dict[Role, str]
    classes: dict[ClinicalClass, str]
    kinds: dict[TimelineKind, str]


VI = Words(
    title="Báo cáo sự cố",
    room="Phòng",
    clinical_class="Loại ca",
    span="Khoảng thời gian",
    made="Lập lúc",
    no_identity="Báo cáo không chứa tên người, dữ liệu người bệnh, địa chỉ mạng hay mật khẩu.",
    truncated="Dữ liệu nhiều hơn mức một báo cáo chứa được; hãy chọn khoảng thời gian ngắn hơn.",
    dropped="Số liệu trước {time} đã bị bỏ vì kho đầy hoặc quá hạn giữ: phần đó của báo cáo không đủ.",
    causes="Nguyên nhân",
    nothing_found="Không ghi nhận vấn đề nào trong khoảng thời gian này.",
    nothing_known="Không còn lưu số liệu nào của khoảng thời gian này.",
    cause="Nguyên nhân",
    severity="Mức độ",
    who="Người tham gia",
    began="Bắt đầu",
    ended="Kết thúc",
    still="còn tiếp diễn",
    evidence="Đo được",
    action="Việc cần làm",
    legs="Đường truyền",
    direction="Chiều",
    up="lên máy chủ",
    down="từ máy chủ",
    mean_rate="Tốc độ trung bình",
    loss_before="Mất gói trước sửa",
    loss_after="Mất gói sau sửa",
    round_trip="Trễ khứ hồi",
    freezes="Lần đứng hình",
    p95="95 % thời gian dưới",
    charts="Biểu đồ",
    resolution="Độ phân giải: mỗi mẫu là {seconds} giây.",
    shaded="Nền đỏ: người này bị ảnh hưởng; nền vàng: cần theo dõi.",
    times="Giờ ghi theo múi giờ {zone}.",
    rate="Tốc độ",
    frames="Khung hình mỗi giây (người xem)",
    freeze="Đứng hình mỗi giây (người xem)",
    timeline="Diễn biến",
    time="Thời điểm",
    event="Sự kiện",
    detail="Chi tiết",
    version="Phiên bản",
    configuration="Cấu hình",
    setting="Thiết đặt",
    value="Giá trị",
    usual="Mặc định (nếu khác)",
    limit="Giới hạn",
    no_limit="không giới hạn",
    on="bật",
    off="tắt",
    days="{number} ngày",
    participants="Người tham gia",
    hurt="bị ảnh hưởng",
    watch="cần theo dõi",
    roles={
        Role.SURGEON: "phẫu thuật viên chính",
        Role.STAFF: "nhân viên phòng mổ",
        Role.SPECIALIST: "chuyên gia",
        Role.MODERATOR: "điều phối viên",
        Role.OBSERVER: "người quan sát",
        Role.OPERATOR: "vận hành",
        Role.AUDITOR: "cán bộ bảo vệ dữ liệu",
    },
    classes={
        ClinicalClass.SURGERY: "phẫu thuật",
        ClinicalClass.EMERGENCY: "hội chẩn cấp cứu",
        ClinicalClass.CONSULT: "hội chẩn",
        ClinicalClass.TEACHING: "giảng dạy",
        ClinicalClass.TEST: "thử nghiệm",
    },
    kinds={
        "room_opened": "Mở phòng",
        "room_closed": "Đóng phòng",
        "joined": "Tham gia",
        "left": "Rời phòng",
        "socket_lost": "Mất kết nối điều khiển",
        "socket_back": "Có lại kết nối điều khiển",
        "published": "Bắt đầu phát nguồn",
        "unpublished": "Dừng phát nguồn",
        "muted": "Tạm dừng nguồn",
        "unmuted": "Nguồn truyền tiếp",
        "frozen": "Hình đứng",
        "flows_again": "Hình chạy lại",
        "layers_changed": "Đổi các lớp hình được phát",
        "layer_forwarded": "Đổi lớp hình được xem",
        "transport": "Đường truyền",
        "path_changed": "Đổi mạng",
        "recording_started": "Bắt đầu ghi",
        "recording_stopped": "Dừng ghi",
        "finding_raised": "Phát hiện sự cố",
        "finding_cleared": "Hết sự cố",
    },
)
EN = Words(
    title="Incident report",
    room="Room",
    clinical_class="Class",
    span="Span of time",
    made="Made",
    no_identity="This report holds no person's name, no patient data, no network address and no secret.",
    truncated="There was more than a report holds; choose a shorter span of time.",
    dropped="Figures before {time} were dropped because the store was full or their time was over: "
    "that part is not complete.",
    causes="Causes",
    nothing_found="Nothing was found wrong in this span of time.",
    nothing_known="Nothing is kept of this span of time.",
    cause="Cause",
    severity="Severity",
    who="Participant",
    began="Began",
    ended="Ended",
    still="still goes on",
    evidence="Measured",
    action="What to do",
    legs="Legs",
    direction="Direction",
    up="to the server",
    down="from the server",
    mean_rate="Mean rate",
    loss_before="Loss before repair",
    loss_after="Loss after repair",
    round_trip="Round trip",
    freezes="Freezes",
    p95="below, 95 % of the time",
    charts="Charts",
    resolution="Resolution: each sample stands for {seconds} s.",
    shaded="Red ground: this participant was hurt; yellow: to be watched.",
    times="Times are in {zone}.",
    rate="Rate",
    frames="Frames a second (viewers)",
    freeze="Frozen in each second (viewers)",
    timeline="Timeline",
    time="Time",
    event="Event",
    detail="Detail",
    version="Version",
    configuration="Configuration",
    setting="Setting",
    value="Value",
    usual="Default (if another)",
    limit="Limit",
    no_limit="no limit",
    on="on",
    off="off",
    days="{number} days",
    participants="Participants",
    hurt="hurt",
    watch="to be watched",
    roles={
        Role.SURGEON: "operating surgeon",
        Role.STAFF: "theatre staff",
        Role.SPECIALIST: "specialist",
        Role.MODERATOR: "moderator",
        Role.OBSERVER: "observer",
        Role.OPERATOR: "operator",
        Role.AUDITOR: "auditor",
    },
    classes={
        ClinicalClass.SURGERY: "surgery",
        ClinicalClass.EMERGENCY: "emergency consult",
        ClinicalClass.CONSULT: "consult",
        ClinicalClass.TEACHING: "teaching",
        ClinicalClass.TEST: "test",
    },
    kinds={
        "room_opened": "Room opened",
        "room_closed": "Room closed",
        "joined": "Joined",
        "left": "Left",
        "socket_lost": "Control connection lost",
        "socket_back": "Control connection back",
        "published": "Began to send",
        "unpublished": "Stopped sending",
        "muted": "Source paused",
        "unmuted": "Source resumed",
        "frozen": "Picture frozen",
        "flows_again": "Picture moves again",
        "layers_changed": "Sent layers changed",
        "layer_forwarded": "Forwarded layer changed",
        "transport": "Transport",
        "path_changed": "Network path changed",
        "recording_started": "Recording started",
        "recording_stopped": "Recording stopped",
        "finding_raised": "Trouble found",
        "finding_cleared": "Trouble over",
    },
)
WORDS: dict[Language, Words] = {"vi": VI, "en": EN}


def number(value: float, digits: int, language: Language) -> str:
    """With the language's decimal sign."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if language == "vi" else text
