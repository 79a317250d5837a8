"""A packet of Opus is a packet of Opus."""

from __future__ import annotations

import pytest

from mediaserver.recording.depacketise.opus import assemble
from mediaserver.recording.depacketise.unit import Malformed
from tests.recorded import encoded


def test_a_packet_is_taken_as_it_is() -> None:
    for data in encoded("OPUS", 5):
        assert assemble([data]).data == data
        assert assemble([data]).keyframe


@pytest.mark.parametrize("payloads", [[], [b""], [b"a", b"b"]])
def test_what_is_no_packet_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(Malformed):
        assemble(payloads)
