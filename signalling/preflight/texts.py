"""The preflight's words in Vietnamese and English: one typed dictionary, each entry complete in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from signalling.preflight.findings import Item

Language: TypeAlias = Literal["vi", "en"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that must be open: what it is called, and what to ask for when it is weak or blocked.

    ``{where}`` stands for the address and port.
    """

    title: str
    weak: str
    blocked: str


@dataclass(frozen=True, slots=True)
class Words:
    """Everything else on the page."""

    heading: str
    server: str
    open: str
    weak: str
    blocked: str
    untested: str
    ask: str
    nothing: str
    all_open: str
    invitation_needed: str
    """Without one, or with a certificate that nobody vouches for, UDP is not tested."""


WORDS: dict[Language, Words] = {
    "vi": Words(
        heading="Loupe: kiểm tra mạng trước cuộc gọi, dành cho bộ phận CNTT",
        server="Máy chủ",
        open="ĐANG MỞ",
        weak="MỞ NHƯNG CẦN LƯU Ý",
        blocked="BỊ CHẶN",
        untested="CHƯA THỬ",
        ask="CẦN LÀM",
        nothing="Không có.",
        all_open="Mọi thứ đã mở. Không cần làm gì.",
        invitation_needed="Chạy lại với cả liên kết mời để thử UDP: loupe doctor --preflight "
        "'https://.../consult/PHÒNG#MÃ' "
        "(với chứng chỉ tự tạo mà bạn đã đối chiếu: thêm --insecure).",
    ),
    "en": Words(
        heading="Loupe: network preflight for hospital IT",
        server="Server",
        open="OPEN",
        weak="OPEN, BUT NOTE",
        blocked="BLOCKED",
        untested="NOT TESTED",
        ask="WHAT TO ASK FOR",
        nothing="None.",
        all_open="Everything is open. Nothing needs to be done.",
        invitation_needed="Run it again with a whole invitation link to test UDP: loupe doctor "
        "--preflight 'https://.../consult/ROOM#CODE' "
        "(with a self-made certificate that you have compared: add --insecure).",
    ),
}

STEPS: dict[Language, dict[Item, Step]] = {
    "vi": {
        "name": Step(
            "Tên máy chủ (DNS)",
            "Cho phép phân giải tên {where}.",
            "Cho phép phân giải tên {where} trong DNS của bệnh viện.",
        ),
        "tcp": Step(
            "Kết nối TCP",
            "{where} phản hồi chậm: kiểm tra đường truyền ra ngoài.",
            "Mở chiều ra {where} trên tường lửa.",
        ),
        "tls": Step(
            "Mã hóa TLS",
            "Chứng chỉ không được tin cậy hoặc sắp hết hạn ({where}): nếu tường lửa mở TLS để kiểm tra, "
            "hãy miễn trừ "
            "máy chủ này; nếu là chứng chỉ tự tạo, hãy thay bằng chứng chỉ được tin cậy.",
            "Cho phép TLS 1.2 trở lên tới {where}; tắt kiểm tra TLS cho máy chủ này.",
        ),
        "http": Step(
            "HTTPS tới Loupe",
            "Cho phép HTTP tới {where}.",
            "Một máy khác trả lời thay cho {where} (proxy hoặc trang chặn): miễn trừ máy chủ này.",
        ),
        "websocket": Step(
            "WebSocket",
            "Cho phép WebSocket tới {where}.",
            "Cho phép nâng cấp WebSocket (Upgrade: websocket) tới {where} trên proxy và tường lửa.",
        ),
        "invitation": Step(
            "Liên kết mời",
            "Xin liên kết mời mới.",
            "Liên kết mời không dùng được (hết hạn hoặc bị thu hồi): xin liên kết mới, chạy lại.",
        ),
        "capacity": Step(
            "Lượt thử trên máy chủ",
            "Máy chủ đang có nhiều người thử, hoặc đang khởi động lại: chạy lại sau một phút.",
            "Chạy lại sau một phút.",
        ),
        "udp": Step(
            "Hình và tiếng (UDP)",
            "Hình và tiếng đang đi vòng qua máy chuyển tiếp, chậm hơn: mở UDP chiều ra, và chiều về của cùng "
            "kết nối, tới {where}.",
            "Mở UDP chiều ra, và chiều về của cùng kết nối, tới {where}. Không có UDP, và "
            "không có máy chuyển tiếp (TURN) nào dùng được, thì không có hình và tiếng.",
        ),
        "relay": Step(
            "Máy chuyển tiếp (TURN)",
            "Mở chiều ra tới {where}: đây là đường dự phòng khi UDP tới máy chủ bị chặn.",
            "Mở chiều ra tới {where}. Nếu đã mở, báo người quản trị Loupe kiểm tra máy chuyển tiếp này.",
        ),
        "loss": Step(
            "Mất hình trên đường",
            "Có mất gói tới {where}: ưu tiên (QoS) lưu lượng này, dùng dây mạng thay cho Wi-Fi.",
            "Gói UDP tới {where} bị mất gần hết: kiểm tra giới hạn UDP trên tường lửa.",
        ),
        "delay": Step(
            "Độ trễ đi và về",
            "Trễ tới {where} lớn: tránh VPN và đường vòng.",
            "Trễ tới {where} quá lớn.",
        ),
    },
    "en": {
        "name": Step(
            "Server's name (DNS)",
            "Let {where} be resolved.",
            "Let the hospital's DNS resolve {where}.",
        ),
        "tcp": Step(
            "TCP connection",
            "{where} answers slowly: look at the way out.",
            "Open the firewall outwards to {where}.",
        ),
        "tls": Step(
            "TLS encryption",
            "The certificate is not trusted or ends soon ({where}): if the firewall opens TLS for "
            "inspection, exempt this "
            "server; if the certificate is self-made, replace it by a trusted one.",
            "Allow TLS 1.2 or newer to {where}; switch TLS inspection off for this server.",
        ),
        "http": Step(
            "HTTPS to Loupe",
            "Allow HTTP to {where}.",
            "Something else answers for {where} (a proxy or a block page): exempt this server.",
        ),
        "websocket": Step(
            "WebSocket",
            "Allow WebSocket to {where}.",
            "Allow the WebSocket upgrade (Upgrade: websocket) to {where} on proxy and firewall.",
        ),
        "invitation": Step(
            "Invitation",
            "Ask for a new invitation.",
            "The invitation does not hold (expired or withdrawn): ask for a new link, run it again.",
        ),
        "capacity": Step(
            "A turn at the server",
            "Many are testing at the server, or it restarts: run it again in a minute.",
            "Run it again in a minute.",
        ),
        "udp": Step(
            "Pictures and sound (UDP)",
            "Pictures and sound take the longer way by the relay: open UDP outwards, and the answers of the "
            "same flow inwards, to {where}.",
            "Open UDP outwards, and the answers of the same flow inwards, to {where}. Without UDP, and "
            "without a relay (TURN) that works, there is no picture and no sound.",
        ),
        "relay": Step(
            "Relay (TURN)",
            "Open the firewall outwards to {where}: the reserve where UDP to the server is closed.",
            "Open the firewall outwards to {where}. If it is open, ask Loupe's administrator to check this "
            "relay.",
        ),
        "loss": Step(
            "Pictures lost on the way",
            "Packets to {where} are lost: give this traffic priority (QoS), use a cable instead of Wi-Fi.",
            "Nearly all UDP to {where} is lost: look for a limit on UDP in the firewall.",
        ),
        "delay": Step(
            "Delay there and back",
            "The delay to {where} is long: avoid VPNs and detours.",
            "The delay to {where} is too long.",
        ),
    },
}
