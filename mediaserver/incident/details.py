"""What was measured and what an event says more exactly, in words: evidence, layers, transports. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mediaserver.cause.texts import CAUSES
from mediaserver.events import Direction, SourceType
from mediaserver.incident.words import WORDS, Language, number
from mediaserver.layers import Reason
from mediaserver.operations.model import Evidence, LegPhase, Measure, TimelineEvent


@dataclass(frozen=True, slots=True)
class Details:
    """Every word of one language."""

    measures: dict[Measure, str]
    sources: dict[SourceType, str]
    phases: dict[LegPhase, str]
    directions: dict[Direction, str]
    reasons: dict[Reason, str]
    """Why a viewer gets this much of a picture and not more."""
    levels: str
    nothing: str
    limit: str
    minutes: str
    hours: str


VI = Details(
    measures={
        "loss_before": "mất gói trước khi sửa",
        "loss_after": "mất gói sau khi sửa",
        "round_trip": "thời gian khứ hồi",
        "jitter": "gói đến không đều",
        "queue_delay": "dữ liệu chờ trên đường truyền",
        "concealed": "tiếng phải bù vì mất",
        "freeze": "hình đứng trong mỗi giây",
        "dropped_frames": "khung hình bị bỏ",
        "encode_load": "tải của bộ nén hình",
        "decode_load": "tải của bộ giải nén hình",
        "frames_missing": "khung hình bị thiếu",
        "source_age": "không có hình mới đã",
        "clock_skew": "đồng hồ lệch",
        "worker_load": "tải của luồng chuyển hình",
        "event_loop_lag": "trễ điều khiển của máy chủ",
        "forward_delay_p99": "trễ trong máy chủ (99 % số gói)",
        "send_drops": "gói máy chủ không gửi được",
        "canary_silence": "phiên thử im lặng",
        "recording_lag": "việc ghi chậm hơn thực tế",
        "recording_failed": "không ghi được",
        "disk_forecast": "đĩa sẽ đầy sau",
        "disk_free": "đĩa còn trống",
        "estimate": "đường truyền chỉ tải được",
        "nothing_arrives": "không có gói nào tới",
        "interrupted": "mất kết nối",
        "publisher_gone": "bên phát đã rớt khỏi phòng",
        "path_silent": "tạm ngừng gửi hình: không nhận được tin báo hoặc mất quá nhiều gói",
        "encoder_limited_by_bandwidth": "máy gửi phải giảm hình vì đường truyền yếu",
        "encoder_limited_by_cpu": "máy gửi phải giảm hình vì máy quá tải",
        "camera_gives_no_frames": "máy quay không cho hình",
        "socket_away": "mất kết nối điều khiển",
        "picture_black": "hình đen",
        "picture_over_exposed": "hình quá sáng",
        "picture_blurred": "hình mờ",
        "picture_corrupt": "hình hỏng",
        "picture_unchanged": "hình không đổi",
        "picture_test_pattern": "hình thử",
    },
    sources={
        "endoscope": "nội soi",
        "overhead": "toàn cảnh bàn mổ",
        "ultrasound": "siêu âm",
        "monitor": "máy theo dõi",
        "room": "phòng",
        "microphone": "micrô",
        "other": "nguồn khác",
    },
    phases={"connecting": "đang nối", "connected": "đã nối", "interrupted": "gián đoạn", "closed": "đã đóng"},
    directions={"publish": "gửi lên", "subscribe": "nhận về"},
    reasons={
        Reason.FULL: "tốt nhất có thể",
        Reason.SHOWN_SMALL: "đủ cho cỡ đang xem",
        Reason.LIMITED: "người vận hành giới hạn",
        Reason.HIDDEN: "người xem đang ẩn",
        Reason.MUTED: "nguồn đang tạm dừng",
        Reason.PUBLISHER: "nguồn gửi ít hơn bình thường",
        Reason.NO_SIGNAL: "nguồn không gửi gì",
        Reason.MEASURING: "đang đo đường truyền",
        Reason.SETTLING: "sắp rõ hơn",
        Reason.PRIORITY: "nhường cho nguồn quan trọng hơn",
        Reason.LINK: "đường truyền của người xem không tải hơn được",
        Reason.SILENT: "không nhận được tin từ máy người xem",
    },
    levels="mức {layers}",
    nothing="không có hình",
    limit="{measure}: {value} (ngưỡng {limit})",
    minutes="phút",
    hours="giờ",
)
EN = Details(
    measures={
        "loss_before": "loss before repair",
        "loss_after": "loss after repair",
        "round_trip": "round trip",
        "jitter": "packets arrive unevenly by",
        "queue_delay": "data waiting on the link",
        "concealed": "sound made up for what was lost",
        "freeze": "frozen in each second",
        "dropped_frames": "frames given up",
        "encode_load": "load of the encoder",
        "decode_load": "load of the decoder",
        "frames_missing": "frames missing",
        "source_age": "no new picture for",
        "clock_skew": "clock wrong by",
        "worker_load": "load of the media worker",
        "event_loop_lag": "control delay of the server",
        "forward_delay_p99": "delay in the server (99 % of packets)",
        "send_drops": "packets the server could not send",
        "canary_silence": "test stream silent for",
        "recording_lag": "recording behind by",
        "recording_failed": "cannot record",
        "disk_forecast": "disk full in",
        "disk_free": "disk space left",
        "estimate": "the link carries only",
        "nothing_arrives": "no packet arrives",
        "interrupted": "connection lost",
        "publisher_gone": "the publisher fell out of the room",
        "path_silent": "pictures held back: no reports come, or they tell of too much loss",
        "encoder_limited_by_bandwidth": "the sender lowers the picture for want of bandwidth",
        "encoder_limited_by_cpu": "the sender lowers the picture because its computer is overloaded",
        "camera_gives_no_frames": "the camera gives no picture",
        "socket_away": "signalling lost",
        "picture_black": "black picture",
        "picture_over_exposed": "picture too bright",
        "picture_blurred": "blurred picture",
        "picture_corrupt": "corrupt picture",
        "picture_unchanged": "picture does not change",
        "picture_test_pattern": "test pattern",
    },
    sources={
        "endoscope": "endoscope",
        "overhead": "overhead camera",
        "ultrasound": "ultrasound",
        "monitor": "monitor",
        "room": "room",
        "microphone": "microphone",
        "other": "other source",
    },
    phases={
        "connecting": "connecting",
        "connected": "connected",
        "interrupted": "interrupted",
        "closed": "closed",
    },
    directions={"publish": "to the server", "subscribe": "from the server"},
    reasons={
        Reason.FULL: "the best there is",
        Reason.SHOWN_SMALL: "enough for the size shown",
        Reason.LIMITED: "limited by an operator",
        Reason.HIDDEN: "hidden by the viewer",
        Reason.MUTED: "paused at its source",
        Reason.PUBLISHER: "its source sends less than usual",
        Reason.NO_SIGNAL: "its source sends nothing",
        Reason.MEASURING: "measuring the link",
        Reason.SETTLING: "soon better",
        Reason.PRIORITY: "a more important source comes first",
        Reason.LINK: "the viewer's link carries no more",
        Reason.SILENT: "nothing is heard of the viewer's device",
    },
    levels="level {layers}",
    nothing="no picture",
    limit="{measure}: {value} (limit {limit})",
    minutes="min",
    hours="h",
)
DETAILS: dict[Language, Details] = {"vi": VI, "en": EN}


def evidence(found: Sequence[Evidence], language: Language) -> str:
    """All of a finding's evidence in one line."""
    return "; ".join(_one(each, language) for each in found)


def _one(one: Evidence, language: Language) -> str:
    words = DETAILS[language]
    measure = words.measures[one.measure]
    if one.unit == "":
        return measure
    value, limit = (sized(each, one.unit, language) for each in (one.value, one.limit))
    return words.limit.format(measure=measure, value=value, limit=limit)


def sized(value: float, unit: str, language: Language) -> str:
    """A value as people say it: seconds as milliseconds up to hours, rates in kbit/s, space in GB."""
    match unit:
        case "ratio":
            return f"{number(value * 100, 1, language)} %"
        case "bits_per_second":
            return f"{number(value / 1000, 0, language)} kbit/s"
        case "bytes":
            return f"{number(value / 1e9, 1, language)} GB"
    return _length(value, language)


def _length(seconds: float, language: Language) -> str:
    words = DETAILS[language]
    if abs(seconds) < 1:
        return f"{number(seconds * 1000, 0, language)} ms"
    if abs(seconds) < 120:
        return f"{number(seconds, 1, language)} s"
    if abs(seconds) < 7200:
        return f"{number(seconds / 60, 0, language)} {words.minutes}"
    return f"{number(seconds / 3600, 1, language)} {words.hours}"


def detail(event: TimelineEvent, language: Language) -> str:
    """What an event says beyond its kind; of an older server's word that is not known, the word itself."""
    words = DETAILS[language]
    text = event.detail
    match event.kind:
        case "joined" | "left":
            return {role.value: name for role, name in WORDS[language].roles.items()}.get(text, text)
        case "published":
            return {str(kind): name for kind, name in words.sources.items()}.get(text, text)
        case "layers_changed" | "layer_forwarded":
            return _layers(text.split(), words)
        case "transport":
            direction, _, phase = text.partition(" ")
            named = {str(known): name for known, name in words.phases.items()}
            ways = {str(known): name for known, name in words.directions.items()}
            return f"{ways.get(direction, direction)}: {named.get(phase, phase)}"
        case "finding_raised" | "finding_cleared":
            return _finding(event, language)
        case _:
            return text


def _layers(said: Sequence[str], words: Details) -> str:
    """Those sent; or the one forwarded and why: servers of before told neither the reason nor ``none``."""
    layers = ", ".join(one for one in said if one.isdigit())
    level = words.levels.format(layers=layers) if layers else words.nothing
    reasons = {str(reason): name for reason, name in words.reasons.items()}
    why = ", ".join(reasons.get(one, one) for one in said if not one.isdigit() and one != "none")
    return f"{level} ({why})" if why else level


def _finding(event: TimelineEvent, language: Language) -> str:
    word, _, severity = event.detail.partition(" ")
    known = next((text.title for cause, text in CAUSES.items() if cause == word), None)
    title = word if known is None else known.vi if language == "vi" else known.en
    words = WORDS[language]
    said = f"{title} ({words.hurt if severity == 'hurt' else words.watch})"
    return f"{said}: {evidence(event.evidence, language)}" if event.evidence else said
