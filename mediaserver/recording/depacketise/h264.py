"""H.264 (RFC 6184; parameter sets of ITU-T H.264 section 7.3.2.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mediaserver.recording.depacketise.unit import Bits, Malformed, Unit

_IDR, _SPS, _PPS, _STAP_A, _FU_A = 5, 7, 8, 24, 28
_MAX_SIDE = 65_535
"""Pixels, as far as an MP4 file can say."""
_START = b"\x00\x00\x00\x01"
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def assemble(payloads: Sequence[bytes]) -> Unit:
    """One access unit with start codes (annex B). Raises ``Malformed``."""
    data, setup, size, keyframe = bytearray(), bytearray(), None, False
    for unit in _units(payloads):
        kind = unit[0] & 0x1F
        keyframe |= kind == _IDR
        if kind in (_SPS, _PPS):
            setup += _START + unit
        if kind == _SPS:
            size = _size(unit)
        data += _START + unit
    if not data:
        raise Malformed("an empty access unit")
    return Unit(bytes(data), keyframe=keyframe, size=size, setup=bytes(setup))


def _units(payloads: Sequence[bytes]) -> Iterator[bytes]:  # noqa: C901 - a flat case for each kind
    """NAL units, whole (sections 5.6 to 5.8)."""
    fragments: bytearray | None = None
    for payload in payloads:
        if len(payload) < 2:
            raise Malformed("an empty packet")
        kind = payload[0] & 0x1F
        if kind != _FU_A and fragments is not None:
            raise Malformed("a fragment is missing")
        if kind == _STAP_A:
            yield from _aggregated(payload)
        elif kind == _FU_A:
            head = payload[1]
            if head & 0x80:
                fragments = bytearray([payload[0] & 0xE0 | head & 0x1F])
            if fragments is None:
                raise Malformed("a fragment is missing")
            fragments += payload[2:]
            if head & 0x40:
                yield bytes(fragments)
                fragments = None
        elif 1 <= kind <= 23:
            yield payload
        else:
            raise Malformed("a packetisation that was not negotiated")
    if fragments is not None:
        raise Malformed("a fragment is missing")


def _aggregated(payload: bytes) -> Iterator[bytes]:
    at = 1
    while at < len(payload):
        length = int.from_bytes(payload[at : at + 2], "big")
        unit = payload[at + 2 : at + 2 + length]
        if not length or len(unit) != length:
            raise Malformed("an aggregated unit is cut")
        yield unit
        at += 2 + length


def _size(unit: bytes) -> tuple[int, int]:
    """Width and height of what a sequence parameter set describes, cropped."""
    bits = Bits(unit[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile = bits.read(8)
    bits.read(16)
    bits.golomb()
    chroma, separate = 1, False
    if profile in _HIGH_PROFILES:
        chroma = bits.golomb()
        separate = chroma == 3 and bits.flag()
        bits.golomb()
        bits.golomb()
        bits.read(1)
        if bits.flag():
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.golomb()
    _skip_order(bits)
    bits.golomb()
    bits.read(1)
    width, height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    frames_only = bits.flag()
    if not frames_only:
        height *= 2
        bits.read(1)
    bits.read(1)
    if bits.flag():
        left, right, top, bottom = (bits.golomb() for _ in range(4))
        array = 0 if separate else chroma
        across, down = (2 if array in (1, 2) else 1), (2 if array == 1 else 1) * (2 - frames_only)
        width, height = width - (left + right) * across, height - (top + bottom) * down
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        raise Malformed("no picture has this size")
    return width, height


def _skip_order(bits: Bits) -> None:
    kind = bits.golomb()
    if kind == 0:
        bits.golomb()
    elif kind == 1:
        bits.read(1)
        bits.signed_golomb()
        bits.signed_golomb()
        for _ in range(bits.golomb()):
            bits.signed_golomb()


def _skip_scaling(bits: Bits, lists: int) -> None:
    for index in range(lists):
        if not bits.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.signed_golomb()) % 256
            last = following or last
