"""Where segments end, which encoding is kept, and why something is missing."""

from __future__ import annotations

from itertools import pairwise

from mediaserver.recording.depacketise import assembler
from mediaserver.recording.parts import Part, Splitter
from mediaserver.recording.records import RecordKind, scan
from mediaserver.recording.streams import Capture
from tests.recorded import START_MICROS, Source, encoded


def split(records: list[bytes]) -> list[Part]:
    capture = Capture(90_000, START_MICROS, sound=False)
    capture.feed(b"".join(records))
    splitter = Splitter(assembler("VP8"), None, capture.changes, True)
    splitter.take(capture.groups())
    return splitter.parts


def test_a_change_of_resolution_begins_a_segment() -> None:
    source = Source()
    records = [source.begin(), *source.stream(encoded("VP8", 30))]
    records += source.stream(encoded("VP8", 30, size=(320, 180)), 1.0)
    parts = split(records)
    assert [part.pictures[0].unit.size for part in parts] == [(160, 96), (320, 180)]
    assert not any(part.gaps for part in parts)
    packets = sum(1 for record in scan(b"".join(records)) if record.kind == RecordKind.PACKET)
    assert sum(part.packets for part in parts) == packets, "each is counted in one segment"


def test_a_pause_of_the_publisher_is_a_gap_and_says_so() -> None:
    source = Source()
    units = encoded("VP8", 30)
    records = [source.begin(), *source.stream(units), source.muted(1.0, True), source.muted(4.9, False)]
    records += source.stream(units, 5.0) + source.stream(units, 8.0)
    parts = split(records)
    assert [[gap.reason for gap in part.gaps] for part in parts] == [[], ["muted"], ["paused"]]
    assert parts[1].gaps[0].end - parts[1].gaps[0].start > 3.9


def test_a_publisher_that_came_back_is_the_same_track_with_a_gap() -> None:
    first, second = Source(), Source(ssrc=99, publication=6, seq=7, rtp=1_000, ntp_offset=3.7e9)
    units = encoded("VP8", 30)
    parts = split([first.begin(), *first.stream(units), second.begin(3.0), *second.stream(units, 3.0)])
    assert [[gap.reason for gap in part.gaps] for part in parts] == [[], ["reconnect"]]
    assert [len(part.pictures) for part in parts] == [30, 30]


def test_the_higher_encoding_is_kept_from_its_key_frame_on_and_the_lower_when_it_falls_silent() -> None:
    low, high = Source(ssrc=1, encoding=0), Source(ssrc=2, encoding=1, rtp=77)
    small, large = encoded("VP8", 60, every=60), encoded("VP8", 60, every=30, size=(320, 180))
    records = [low.begin()]
    for index in range(60):
        records += low.picture(index / 30, small[index], index)
        if index >= 10:
            records += high.picture(index / 30, large[index], index)
    records += low.stream(encoded("VP8", 60, every=30), 3.5)
    parts = split(records)
    assert [part.pictures[0].key.encoding for part in parts] == [0, 1, 0]
    assert len(parts[0].pictures) == 30, "until the key frame of the higher"
    assert len(parts[1].pictures) == 30


def test_pictures_before_the_first_key_frame_cannot_be_shown() -> None:
    source = Source()
    parts = split([source.begin(), *source.stream(encoded("VP8", 60)[20:])])
    assert len(parts) == 1
    assert len(parts[0].pictures) == 30
    assert [gap.reason for gap in parts[0].gaps] == ["no_keyframe"]


def test_time_never_goes_back() -> None:
    source = Source()
    units = encoded("VP8", 30)
    records = [source.begin(), *source.stream(units)]
    source.rtp -= 90_000
    records += source.stream(units, 1.0)
    times = [picture.at for part in split(records) for picture in part.pictures]
    assert all(after > before for before, after in pairwise(times))
