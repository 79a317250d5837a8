"""AV1 temporal units from packets of a real encoder."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.av1 import assemble
from mediaserver.recording.depacketise.unit import Malformed
from tests.recorded import encoded, packetised


def test_units_decode_and_tell_their_size() -> None:
    for number, data in enumerate(encoded("AV1", 10)):
        unit = assemble(packetised("AV1", data, number))
        # All but the delimiter, which a container does not want.
        assert unit.data == data.removeprefix(b"\x12\x00")
        assert unit.keyframe == (number == 0)
        assert unit.size == ((160, 96) if number == 0 else None)
        assert bool(unit.setup) == unit.keyframe


def test_elements_with_lengths_and_without() -> None:
    frame = bytes([0x30, 1, 2, 3])
    # W = 0: every element has a length; W = 2: the last has none.
    for payload in (
        b"\x00" + bytes([2, 0x10, 0]) + bytes([4]) + frame,
        b"\x20" + bytes([2, 0x10, 0]) + frame,
    ):
        assert assemble([payload]).data == bytes([0x32, 3, 1, 2, 3])


@pytest.mark.parametrize(
    "payloads",
    [
        [b""],
        [b"\x10"],
        [b"\x90\x30"],
        [b"\x50\x30\x01"],
        [b"\x00\x05\x30"],
        [b"\x30\x01\x30"],
        [b"\x10\x10\x00"],
    ],
)
def test_what_is_no_unit_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(Malformed):
        assemble(payloads)
