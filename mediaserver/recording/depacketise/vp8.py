"""VP8 (RFC 7741; the frame header is that of RFC 6386 section 9.1)."""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.recording.depacketise.unit import Malformed, Unit

_START_CODE = b"\x9d\x01\x2a"


def assemble(payloads: Sequence[bytes]) -> Unit:
    """One frame. Raises ``Malformed``."""
    parts = [payload[_descriptor_length(payload) :] for payload in payloads]
    # S and PID 0: the first packet begins the first partition (section 4.2).
    if payloads[0][0] & 0x17 != 0x10:
        raise Malformed("the first packet of the frame is missing")
    data = b"".join(parts)
    if not data:
        raise Malformed("an empty frame")
    if data[0] & 0x01:
        return Unit(data, keyframe=False)
    if len(data) < 10 or data[3:6] != _START_CODE:
        raise Malformed("a key frame without start code")
    width = int.from_bytes(data[6:8], "little") & 0x3FFF
    height = int.from_bytes(data[8:10], "little") & 0x3FFF
    return Unit(data, keyframe=True, size=(width, height))


def _descriptor_length(payload: bytes) -> int:
    """Section 4.2."""
    try:
        if not payload[0] & 0x80:
            return 1
        flags, length = payload[1], 2
        if flags & 0x80:
            length += 2 if payload[2] & 0x80 else 1
        length += bool(flags & 0x40) + bool(flags & 0x30)
    except IndexError:
        raise Malformed("the descriptor is cut") from None
    return length
