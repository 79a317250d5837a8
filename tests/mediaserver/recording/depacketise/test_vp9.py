"""VP9 pictures from packets of a real encoder; spatial layers become a superframe."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.unit import Malformed
from mediaserver.recording.depacketise.vp9 import assemble
from tests.recorded import encoded, packetised


def test_frames_come_back_as_the_encoder_made_them() -> None:
    for number, data in enumerate(encoded("VP9", 40)):
        unit = assemble(packetised("VP9", data, number))
        assert unit.data == data
        assert unit.keyframe == (number % 30 == 0)
        assert unit.size == ((160, 96) if unit.keyframe else None)


def test_spatial_layers_become_a_superframe_with_its_index() -> None:
    low = encoded("VP9", 1)[0]
    high = b"\x86" + b"h" * 300
    # I, L, B, E, V: layer indices, TL0PICIDX, and a structure of two layers (section 4.2).
    structure = bytes([0x30]) + (80).to_bytes(2, "big") + (48).to_bytes(2, "big")
    structure += (160).to_bytes(2, "big") + (96).to_bytes(2, "big")
    first = bytes([0xAE, 0x85, 0x01, 0x00, 0x07]) + structure + low
    second = bytes([0xAC, 0x85, 0x01, 0x02, 0x07]) + high
    unit = assemble([first, second])
    marker = bytes([0xC0 | 1 << 3 | 1])
    index = len(low).to_bytes(2, "little") + len(high).to_bytes(2, "little")
    assert unit.data == low + high + marker + index + marker
    assert (unit.keyframe, unit.size) == (True, (160, 96))


@pytest.mark.parametrize(
    "payloads", [[b""], [b"\x80"], [b"\x0c"], [b"\x04x"], [b"\x08x"], [b"\x08x", b"\x08y"], [b"\x0c\x00"]]
)
def test_what_is_no_picture_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(Malformed):
        assemble(payloads)
