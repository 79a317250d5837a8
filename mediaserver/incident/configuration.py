"""What of the configuration an incident report tells: how much, how long, what is on. No address, folder,
name or secret. Pure."""

from __future__ import annotations

from typing import Any

from mediaserver.config import Settings
from mediaserver.incident.words import WORDS, Language, number
from mediaserver.operations.model import Text

SHOWN: dict[str, Any] = {
    "limits": True,
    "retention": True,
    "history": True,
    "watch": True,
    "log": True,
    "media": {"workers"},
    "tokens": {"lifetime_seconds"},
}
"""Sections whose values are numbers and words."""

NAMES: dict[str, Text] = {
    "media.workers": Text(
        vi="Luồng chuyển hình (0: mỗi bộ xử lý một)", en="Media workers (0: one a processor)"
    ),
    "tls.on": Text(vi="Mã hóa TLS tại máy chủ này", en="TLS at this server"),
    "recording.on": Text(vi="Ghi hình", en="Recording"),
    "recording.second_location": Text(vi="Nơi ghi thứ hai", en="Second place to record to"),
    "storage.on": Text(vi="Chuyển bản ghi tới kho ngoài", en="Recordings move to an object store"),
    "ice_servers.number": Text(vi="Máy chủ STUN và TURN", en="STUN and TURN servers"),
    "alerts.webhooks": Text(vi="Nơi nhận cảnh báo (webhook)", en="Webhooks for alerts"),
    "watch.pictures": Text(vi="Xem chất lượng hình tự động", en="Probe of picture quality"),
    "watch.pictures_share": Text(
        vi="Phần lõi xử lý dành cho việc đó", en="Share of a processor core for that probe"
    ),
    "watch.thumbnails": Text(vi="Ảnh nhỏ cho người vận hành", en="Small pictures for operators"),
    "watch.canary": Text(vi="Phiên thử tự động", en="Synthetic session (canary)"),
    "history.keep_days": Text(vi="Giữ số liệu", en="Figures are kept for"),
    "history.max_bytes": Text(vi="Số liệu chiếm tối đa", en="Figures hold at most"),
    "retention.clinical_days": Text(vi="Giữ bản ghi ca bệnh", en="Clinical recordings are kept for"),
    "retention.teaching_days": Text(vi="Giữ bản ghi giảng dạy", en="Teaching recordings are kept for"),
    "retention.test_days": Text(vi="Giữ bản ghi thử", en="Test recordings are kept for"),
    "retention.quota_bytes": Text(vi="Mọi bản ghi chiếm tối đa", en="All recordings hold at most"),
    "tokens.lifetime_seconds": Text(vi="Thẻ vào phòng có hạn", en="A join token lives for"),
    "log.level": Text(vi="Mức nhật ký", en="Level of the log"),
    "log.format": Text(vi="Dạng nhật ký", en="Form of the log"),
    "limits.rooms": Text(vi="Số phòng", en="Rooms"),
    "limits.participants_per_room": Text(vi="Người tham gia mỗi phòng", en="Participants a room"),
    "limits.viewers_per_room": Text(vi="Người xem (WHEP) mỗi phòng", en="Viewers (WHEP) a room"),
    "limits.publications_per_participant": Text(vi="Nguồn phát mỗi người", en="Sources a participant"),
    "limits.subscriptions_per_participant": Text(
        vi="Nguồn xem mỗi người", en="Sources watched by a participant"
    ),
    "limits.sdp_bytes": Text(vi="Độ dài mô tả phiên (SDP)", en="Session description (SDP)"),
    "limits.media_sections": Text(vi="Phần m= trong một mô tả", en="Media sections of a description"),
    "limits.candidates": Text(vi="Địa chỉ ứng viên (ICE) trong một mô tả", en="Candidates of a description"),
    "limits.data_channels": Text(vi="Kênh dữ liệu mỗi kết nối", en="Data channels a connection"),
    "limits.message_bytes": Text(vi="Độ dài một thông điệp", en="A message"),
    "limits.messages_per_second": Text(vi="Thông điệp mỗi giây", en="Messages a second"),
    "limits.api_body_bytes": Text(vi="Độ dài một yêu cầu HTTP", en="Body of a request"),
    "limits.handshakes_per_worker": Text(
        vi="Bắt tay DTLS cùng lúc mỗi luồng", en="DTLS handshakes at once, a worker"
    ),
    "limits.connections_per_source": Text(vi="Kết nối từ một địa chỉ", en="Connections from one address"),
    "limits.connections_per_identity": Text(vi="Phiên của một người", en="Sessions of one person"),
    "limits.sessions_per_invitation": Text(vi="Phiên từ một liên kết mời", en="Sessions by one invitation"),
    "limits.header_seconds": Text(vi="Chờ phần đầu yêu cầu", en="Wait for a request's head"),
    "limits.body_seconds": Text(vi="Chờ phần thân yêu cầu", en="Wait for a request's body"),
    "limits.tls_hello_seconds": Text(vi="Chờ bắt đầu TLS", en="Wait for the beginning of TLS"),
    "limits.idle_seconds": Text(vi="Kết nối im lặng tối đa", en="Connection without a word"),
    "limits.resume_seconds": Text(vi="Chờ người mất kết nối trở lại", en="Wait for who lost the connection"),
    "limits.empty_room_seconds": Text(vi="Giữ phòng trống", en="An empty room stands for"),
}
"""By section and key, in the order in which they are shown."""


def told(settings: Settings) -> dict[str, Any]:
    """By section and key, as JSON: the sections shown, and of the others whether they are in use."""
    shown: dict[str, Any] = settings.model_dump(mode="json", include=SHOWN)
    return shown | {
        "tls": {"on": settings.tls.certificate is not None or settings.tls.self_made},
        "recording": {
            "on": settings.recording.master_key_file is not None,
            "second_location": settings.recording.second_folder is not None,
        },
        "storage": {"on": settings.storage.url is not None},
        "ice_servers": {"number": len(settings.ice_servers)},
        "alerts": {"webhooks": len(settings.alerts.webhooks)},
    }


def rows(configuration: dict[str, Any], language: Language) -> list[list[str]]:
    """Name, value and default of each setting; the default is empty where it is in force. A key that this
    version has no words for is told by its own name."""
    values = _flat(configuration)
    defaults = _flat(told(Settings.model_construct()))
    order = [*(key for key in NAMES if key in values), *(key for key in values if key not in NAMES)]
    return [
        [
            _name(key, language),
            _said(key, values[key], language),
            "" if values[key] == defaults.get(key, values[key]) else _said(key, defaults[key], language),
        ]
        for key in order
    ]


def _flat(configuration: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, keys in configuration.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }


def _name(key: str, language: Language) -> str:
    text = NAMES.get(key)
    name = key if text is None else text.vi if language == "vi" else text.en
    return f"{WORDS[language].limit}: {name}" if key.startswith("limits.") and text else name


def _said(key: str, value: Any, language: Language) -> str:
    words = WORDS[language]
    if value is None:
        return words.no_limit
    if isinstance(value, bool):
        return words.on if value else words.off
    return _measured(key, value, language) if isinstance(value, int | float) else str(value)


def _measured(key: str, value: float, language: Language) -> str:
    """With the unit that the key names."""
    if key.endswith("_bytes"):
        return _space(value, language)
    text = _plain(value, language)
    if key.endswith("_days"):
        return WORDS[language].days.format(number=text)
    return f"{text} s" if key.endswith("_seconds") else text


def _plain(value: float, language: Language) -> str:
    return number(value, 0 if value == int(value) else 2 if value < 1 else 1, language)


def _space(size: float, language: Language) -> str:
    """In the binary units in which the settings are written."""
    for unit in ("byte", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{_plain(size, language)} {unit}"
        size /= 1024
    return f"{_plain(size, language)} TiB"
