"""VP9 (RFC 9628; the frame header and the superframe index are those of the VP9 bitstream specification,
section 6.2 and annex B)."""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.recording.depacketise.unit import Bits, Malformed, Unit

_SYNC_CODE = 0x498342
_BEGINS, _ENDS = 0x08, 0x04


def assemble(payloads: Sequence[bytes]) -> Unit:
    """One picture with all its spatial layers, as a superframe where there are several. Raises
    ``Malformed``."""
    frames: list[bytearray] = []
    open_frame = False
    for payload in payloads:
        start = _descriptor_length(payload)
        if payload[0] & _BEGINS:
            if open_frame:
                raise Malformed("a layer's end is missing")
            frames.append(bytearray())
            open_frame = True
        if not open_frame:
            raise Malformed("the first packet of a layer is missing")
        frames[-1] += payload[start:]
        open_frame = not payload[0] & _ENDS
    if open_frame or not all(frames):
        raise Malformed("a layer's end is missing")
    first = bytes(frames[0])
    size = _keyframe_size(first)
    data = first if len(frames) == 1 else _superframe(frames)
    if size is not None and len(frames) > 1:
        size = _scalable_size(payloads[0]) or size
    return Unit(data, keyframe=size is not None, size=size)


def _descriptor_length(payload: bytes) -> int:
    """Section 4.2."""
    try:
        flags, length = payload[0], 1
        if flags & 0x80:
            length += 2 if payload[1] & 0x80 else 1
        if flags & 0x20:
            length += 1 if flags & 0x10 else 2
        if flags & 0x50 == 0x50:
            more = True
            while more:
                more, length = bool(payload[length] & 1), length + 1
        if flags & 0x02:
            length = _structure(payload, length)[0]
    except IndexError:
        raise Malformed("the descriptor is cut") from None
    if length > len(payload):
        raise Malformed("the descriptor is cut")
    return length


def _structure(payload: bytes, at: int) -> tuple[int, tuple[int, int] | None]:
    """Where the scalability structure ends, and the size of its highest layer (section 4.2.1)."""
    head, at = payload[at], at + 1
    size = None
    if head & 0x10:
        layers = (head >> 5) + 1
        at += 4 * layers
        last = payload[at - 4 : at]
        if len(last) == 4:
            size = int.from_bytes(last[:2], "big"), int.from_bytes(last[2:], "big")
    if head & 0x08:
        pictures, at = payload[at], at + 1
        for _ in range(pictures):
            at += 1 + ((payload[at] >> 2) & 0x03)
    return at, size


def _scalable_size(payload: bytes) -> tuple[int, int] | None:
    flags = payload[0]
    if not flags & 0x02:
        return None
    at = 1
    if flags & 0x80:
        at += 2 if payload[1] & 0x80 else 1
    if flags & 0x20:
        at += 1 if flags & 0x10 else 2
    return _structure(payload, at)[1]


def _keyframe_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height of a key frame, ``None`` for another frame."""
    bits = Bits(frame[:32])
    if bits.read(2) != 2:
        raise Malformed("no frame marker")
    profile = bits.read(1) | bits.read(1) << 1
    if profile == 3:
        bits.read(1)
    show_existing, inter, _shown, _resilient = bits.flag(), False, False, False
    if show_existing:
        return None
    inter, _shown, _resilient = bits.flag(), bits.flag(), bits.flag()
    if inter:
        return None
    if bits.read(24) != _SYNC_CODE:
        raise Malformed("a key frame without sync code")
    if profile >= 2:
        bits.read(1)
    srgb = bits.read(3) == 7
    if not srgb:
        bits.read(1 + 3 * (profile in (1, 3)))
    elif profile in (1, 3):
        bits.read(1)
    return bits.read(16) + 1, bits.read(16) + 1


def _superframe(frames: Sequence[bytes | bytearray]) -> bytes:
    width = max((len(frame).bit_length() + 7) // 8 for frame in frames)
    marker = bytes([0xC0 | (width - 1) << 3 | (len(frames) - 1)])
    index = b"".join(len(frame).to_bytes(width, "little") for frame in frames)
    return b"".join(frames) + marker + index + marker
