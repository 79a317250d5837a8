"""Packets in order, and where streams begin and end."""

from __future__ import annotations

import random

import pytest

from mediaserver.recording.streams import Capture
from tests.recorded import START_MICROS, Source, encoded


def capture(records: list[bytes], *, sound: bool = False) -> Capture:
    found = Capture(48_000 if sound else 90_000, START_MICROS, sound=sound)
    found.feed(b"".join(records))
    return found


def test_numbers_and_times_wrap_unseen() -> None:
    source = Source(seq=65_530, rtp=0xFFFF_FF00)
    groups = capture([source.begin(), *source.stream(encoded("VP8", 60))]).groups()
    assert len(groups) == 60
    assert all(group.whole and not group.missing for group in groups)
    for index, group in enumerate(groups):
        assert group.at == pytest.approx(index / 30 + source.delay, abs=0.002)


def test_reordering_changes_nothing() -> None:
    source = Source()
    records = source.stream(encoded("VP8", 60))
    chance = random.Random(1)
    shuffled = sorted(records, key=lambda record: records.index(record) + chance.random() * 8)
    straight, mixed = capture([source.begin(), *records]), capture([source.begin(), *shuffled])
    assert [[p.payload for p in g.packets] for g in straight.groups()] == [
        [p.payload for p in g.packets] for g in mixed.groups()
    ]


def test_a_missing_packet_makes_its_picture_incomplete() -> None:
    source = Source()
    records = [source.begin()]
    big = encoded("VP8", 1, size=(640, 480))[0] + bytes(5_000)
    for number in range(5):
        made = source.picture(number / 30, big, number)
        records += made[:1] + made[2:] if number == 2 else made
    groups = capture(records).groups()
    assert [group.whole for group in groups] == [True, True, False, True, True]
    assert [group.missing for group in groups] == [0, 0, 1, 0, 0]


def test_the_last_picture_without_its_end_is_not_whole() -> None:
    source = Source()
    big = encoded("VP8", 1)[0] + bytes(3_000)
    records = [source.begin(), *source.picture(0.0, big), *source.picture(0.04, big)[:-1]]
    assert [group.whole for group in capture(records).groups()] == [True, False]


def test_another_source_is_another_stream_with_its_own_clock() -> None:
    first, second = Source(ssrc=1), Source(ssrc=2, rtp=7, seq=9)
    records = [first.begin(), *first.stream(encoded("VP8", 30)), *second.stream(encoded("VP8", 30), 1.0)]
    taken = capture(records)
    assert len(taken.streams) == 2
    times = [group.at for group in taken.groups()]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.0 + 29 / 30 + 0.02, abs=0.002)


def test_what_befell_the_track_is_told() -> None:
    source = Source()
    records = [source.begin(), source.muted(1.0, True), source.muted(2.0, False)]
    changes = capture(records).changes
    assert [(round(change.at, 2), change.name) for change in changes] == [
        (0.02, "began"),
        (1.02, "muted"),
        (2.02, "heard"),
    ]


def test_hostile_packets_are_left_out() -> None:
    from mediaserver.recording.records import RecordKind, frame

    records = [
        frame(RecordKind.PACKET, body)
        for body in (b"", b"\x80" * 11, b"\x9f" + bytes(40), b"\x90" + bytes(14))
    ]
    records += [frame(kind, b"") for kind in range(2, 12)]
    assert capture(records).groups() == []
