"""What each cause is called and what to do about it, in Vietnamese and English."""

from __future__ import annotations

from mediaserver.operations.model import Cause, CauseText, Text

_TEXTS: tuple[tuple[Cause, Text, Text], ...] = (
    (
        "server_overload",
        Text("Máy chủ quá tải", "Server overloaded"),
        Text(
            "Không mở phòng mới trên máy này; giảm lớp hình cao nhất của các phòng giảng dạy; "
            "chuyển phòng ít khẩn sang máy khác.",
            "Open no new rooms here; limit the top layer of teaching; move less urgent rooms elsewhere.",
        ),
    ),
    (
        "recording_disk",
        Text("Đĩa ghi hình chậm hoặc sắp đầy", "Recording disk slow or filling"),
        Text(
            "Giải phóng hoặc gắn thêm đĩa ngay; kiểm tra tốc độ ghi bằng `loupe doctor`; "
            "báo phòng mổ nếu phải dừng ghi.",
            "Free or add disk now; check its speed with `loupe doctor`; "
            "tell the theatre if recording has to stop.",
        ),
    ),
    (
        "canary",
        Text("Phiên thử (canary) im lặng", "Canary silent"),
        Text(
            "Xem bảng: nếu các phòng cũng xấu thì máy chủ không chuyển hình, xem nhật ký; "
            "nếu các phòng đều tốt thì chỉ phiên thử hỏng.",
            "Look at the board: where rooms are hurt as well the server does not forward, see its log; "
            "where all are good only the canary is broken.",
        ),
    ),
    (
        "source_frozen",
        Text("Nguồn hình đứng hoặc đen", "Source frozen or black"),
        Text(
            "Gọi phòng mổ: kiểm tra camera, dây tín hiệu và nút Freeze của máy; chọn lại nguồn trên trang.",
            "Call the theatre: check camera, cable and the device's freeze button; choose the source again.",
        ),
    ),
    (
        "publisher_device",
        Text("Máy phát hình quá yếu", "Publisher's computer too slow"),
        Text(
            "Đề nghị bên phát đóng ứng dụng khác, giảm độ phân giải hoặc bớt một nguồn; cắm nguồn điện.",
            "Ask the publisher to close other programs, lower the size or drop a source; plug in power.",
        ),
    ),
    (
        "relay",
        Text("Đường qua máy trung chuyển (TURN) kém", "Relay (TURN) path poor"),
        Text(
            "Nhờ CNTT bệnh viện mở UDP tới máy chủ để đi thẳng; nếu không được, "
            "dùng TURN gần hơn hoặc TURN qua UDP.",
            "Have the hospital's IT open UDP to the server for a direct path; "
            "else use a nearer TURN server, or TURN over UDP.",
        ),
    ),
    (
        "publisher_uplink",
        Text("Đường lên của bên phát kém", "Publisher's uplink poor"),
        Text(
            "Đề nghị bên phát dùng dây mạng thay Wi-Fi, dừng tải khác; giới hạn lớp hình hoặc bớt nguồn phụ.",
            "Ask the publisher for a cable instead of Wi-Fi and to stop other traffic; "
            "limit layers or drop minor sources.",
        ),
    ),
    (
        "viewer_downlink",
        Text("Đường xuống của người xem kém", "Viewer's downlink poor"),
        Text(
            "Giới hạn lớp hình của người xem này; đề nghị dùng dây mạng hoặc mạng khác; ưu tiên tiếng.",
            "Limit this viewer's layer; ask for a cable or another network; keep sound before picture.",
        ),
    ),
    (
        "viewer_device",
        Text("Máy của người xem quá yếu", "Viewer's computer too slow"),
        Text(
            "Đề nghị người xem đóng ứng dụng khác, xem một hình thay vì nhiều; giới hạn lớp hình của họ.",
            "Ask the viewer to close other programs and show one picture, not many; limit their layer.",
        ),
    ),
    (
        "signalling",
        Text("Mất kết nối điều khiển", "Signalling lost"),
        Text(
            "Hình có thể vẫn chạy. Chờ tự kết nối lại; nếu quá 30 giây, "
            "đề nghị tải lại trang và kiểm tra proxy chặn WebSocket.",
            "Media may go on. Let it reconnect; after 30 s ask for a reload, "
            "and check for a proxy that cuts WebSockets.",
        ),
    ),
    (
        "clock",
        Text("Đồng hồ máy trạm sai", "Client's clock wrong"),
        Text(
            "Bật đồng bộ giờ tự động (NTP) trên máy đó; tuổi hình chưa đáng tin cho đến khi sửa.",
            "Turn on automatic time (NTP) on that computer; do not trust ages of pictures until then.",
        ),
    ),
)

CAUSES: dict[Cause, CauseText] = {
    cause: CauseText(cause=cause, title=title, action=action) for cause, title, action in _TEXTS
}
"""The cause that explains most comes first."""
RANK: dict[Cause, int] = {cause: place for place, cause in enumerate(CAUSES)}
