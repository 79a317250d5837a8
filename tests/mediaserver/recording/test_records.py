"""Records of a tap: framed as the plane frames them, and read no further than they are whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mediaserver.recording.records import REPAIRED, RecordKind, frame, scan


def test_what_was_framed_is_found() -> None:
    data = frame(RecordKind.PACKET, b"abc", encoding=2, flags=REPAIRED, publication=7, arrival=9)
    data += frame(RecordKind.ENDED, b"")
    packet, ended = scan(data)
    assert (packet.kind, packet.encoding, packet.flags, packet.publication, packet.arrival) == (1, 2, 1, 7, 9)
    assert data[packet.start : packet.end] == b"abc"
    assert (ended.kind, ended.start) == (RecordKind.ENDED, ended.end)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_broken_bytes_end_the_scan_and_nothing_else(rest: bytes, cut: int) -> None:
    whole = frame(RecordKind.PACKET, b"x" * 30)
    found = list(scan(whole + rest))
    assert found[0].end == len(whole)
    assert all(record.end <= len(whole + rest) for record in found)
    assert len(list(scan(whole[:cut]))) == (cut >= len(whole))
