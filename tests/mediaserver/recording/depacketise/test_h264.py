"""H.264 access units from packets of a real encoder: single, aggregated and in fragments."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.h264 import assemble
from mediaserver.recording.depacketise.unit import Malformed
from tests.recorded import encoded, packetised


def test_units_come_back_with_start_codes() -> None:
    for number, data in enumerate(encoded("H264", 40)):
        unit = assemble(packetised("H264", data, number))
        assert unit.keyframe == (number % 30 == 0)
        assert unit.data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01") == data.replace(
            b"\x00\x00\x00\x01", b"\x00\x00\x01"
        )
        assert unit.size == ((160, 96) if unit.keyframe else None)
        assert bool(unit.setup) == unit.keyframe


@pytest.mark.parametrize("size", [(160, 90), (176, 144), (1280, 720), (1920, 1080)])
def test_the_cropped_size_is_told(size: tuple[int, int]) -> None:
    assert assemble(packetised("H264", encoded("H264", 1, size=size)[0])).size == size


@pytest.mark.parametrize(
    "payloads",
    [
        [],
        [b"\x65"],
        [b"\x7c\x05abc"],
        [b"\x7c\x85abc"],
        [b"\x7c\x85abc", b"\x41ab"],
        [b"\x78\x00\x09ab"],
        [b"\x79ab"],
    ],
)
def test_what_is_no_access_unit_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(Malformed):
        assemble(payloads)
