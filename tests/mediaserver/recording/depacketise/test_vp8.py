"""VP8 frames from packets of a real encoder, and from nothing else."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.unit import Malformed
from mediaserver.recording.depacketise.vp8 import assemble
from tests.recorded import encoded, packetised


def test_frames_come_back_as_the_encoder_made_them() -> None:
    units = encoded("VP8", 40)
    for number, data in enumerate(units):
        unit = assemble(packetised("VP8", data, number))
        assert unit.data == data
        assert unit.keyframe == (number % 30 == 0)
        assert unit.size == ((160, 96) if unit.keyframe else None)


@pytest.mark.parametrize("length", range(1, 7))
def test_descriptors_of_every_form(length: int) -> None:
    data = encoded("VP8", 1)[0]
    descriptor = {
        1: b"\x10",
        2: b"\x90\x00",
        3: b"\x90\x80\x11",
        4: b"\x90\x80\x91\x11",
        5: b"\x90\xc0\x91\x11\x07",
        6: b"\x90\xf0\x91\x11\x07\x20",
    }[length]
    assert assemble([descriptor + data]).data == data


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x00abc"],
        [b"\x11abc"],
        [b"\x90"],
        [b"\x90\x80"],
        [b"\x10"],
        [b"\x10\x10\x02\x00\x00\x00\x00\x40\x01\xf0\x00"],
    ],
)
def test_what_is_no_frame_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(Malformed):
        assemble(payloads)
