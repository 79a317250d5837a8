"""AV1 (AOM "RTP Payload Format for AV1" v1.0, section 4; headers of the AV1 bitstream specification,
section 5)."""

from __future__ import annotations

from collections.abc import Sequence

from mediaserver.recording.depacketise.unit import Bits, Malformed, Unit

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _TILE_LIST, _PADDING = 1, 2, 8, 15
_CONTINUES, _CONTINUED = 0x80, 0x40


def assemble(payloads: Sequence[bytes]) -> Unit:
    """One temporal unit as OBUs that carry their sizes, without delimiters. Raises ``Malformed``."""
    obus = [obu for obu in _obus(payloads) if obu]
    data, setup, size = bytearray(), b"", None
    for obu in obus:
        kind = (obu[0] >> 3) & 0x0F
        if kind in (_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING):
            continue
        sized = _with_size(obu)
        if kind == _SEQUENCE_HEADER:
            setup, size = sized, _size(_body(obu))
        data += sized
    if not data:
        raise Malformed("an empty temporal unit")
    return Unit(bytes(data), keyframe=bool(setup), size=size, setup=setup)


def _obus(payloads: Sequence[bytes]) -> list[bytes]:
    """OBUs put together from their fragments (sections 4.3 and 4.4)."""
    obus: list[bytes] = []
    pending: bytes | None = None
    for payload in payloads:
        elements = _elements(payload)
        head = payload[0]
        if bool(head & _CONTINUES) != (pending is not None):
            raise Malformed("a fragment is missing")
        if pending is not None:
            elements[0] = pending + elements[0]
            pending = None
        if head & _CONTINUED:
            pending = elements.pop()
        obus += elements
    if pending is not None:
        raise Malformed("a fragment is missing")
    return obus


def _elements(payload: bytes) -> list[bytes]:
    if len(payload) < 2:
        raise Malformed("an empty packet")
    count, at = (payload[0] >> 4) & 0x03, 1
    elements: list[bytes] = []
    while at < len(payload):
        if count and len(elements) == count - 1:
            length = len(payload) - at
        else:
            length, at = _leb128(payload, at)
        if at + length > len(payload):
            raise Malformed("an element is cut")
        elements.append(payload[at : at + length])
        at += length
    if not elements or (count and len(elements) != count):
        raise Malformed("elements are missing")
    return elements


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        if at >= len(data):
            break
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, at
    raise Malformed("a length without end")


def _to_leb128(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _body_start(obu: bytes) -> int:
    return 2 if obu[0] & 0x04 else 1


def _body(obu: bytes) -> bytes:
    start = _body_start(obu)
    if not obu[0] & 0x02:
        return obu[start:]
    length, start = _leb128(obu, start)
    return obu[start : start + length]


def _with_size(obu: bytes) -> bytes:
    if obu[0] & 0x02:
        return obu
    start = _body_start(obu)
    return bytes([obu[0] | 0x02]) + obu[1:start] + _to_leb128(len(obu) - start) + obu[start:]


def _size(header: bytes) -> tuple[int, int]:
    """Width and height of the largest frame (specification section 5.5.1)."""
    bits = Bits(header[:64])
    bits.read(3)
    bits.read(1)
    if bits.flag():
        bits.read(5)
    else:
        _skip_timing(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def _skip_timing(bits: Bits) -> None:
    decoder_model, delay_bits = False, 0
    if bits.flag():
        bits.read(64)
        if bits.flag():
            bits.golomb()
        decoder_model = bits.flag()
        if decoder_model:
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5 + 5)
    display_delay = bits.flag()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if decoder_model and bits.flag():
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.flag():
            bits.read(4)
