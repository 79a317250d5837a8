"""Sealing: every codec plays again as it came, in rounds, after losses, and without losing what is not
sealed yet."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from mediaserver.ids import TrackId
from mediaserver.recording import depacketise
from mediaserver.recording.depacketise import Unit
from mediaserver.recording.manifest import verify
from tests.recorded import Shelf, Source, encoded

CODECS = ["VP8", "VP9", "AV1", "H264"]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def kept(shelf: Shelf) -> list[str]:
    """Journals that were set apart."""
    return sorted(path.name for path in shelf.folder.path.glob("kept/*"))


def unsealable(shelf: Shelf) -> list[tuple[str, str]]:
    lines = [line for line in shelf.manifest.lines() if line.get("name") == "unsealable"]
    return [(line["track"], line["reason"]) for line in lines]


@pytest.mark.parametrize("codec", CODECS)
def test_pictures_of_a_real_encoder_play_again_all_of_them(shelf: Shelf, codec: str) -> None:
    shelf.track("t1", codec)
    source = Source(codec)
    shelf.journal("t1", [source.begin(), *source.stream(encoded(codec, 90))])
    outcome = shelf.seal(state="sealed")
    (segment,) = outcome.segments
    assert (segment["pictures"], segment["lost"], segment["dimensions"]) == (90, 0, [160, 96])
    played = shelf.played()
    assert len(played) == 90
    assert all(width == 160 for _, width in played)
    assert played[-1][0] == pytest.approx(89 / 30, abs=0.005)
    assert len(segment["keyframes"]) >= 2
    assert not shelf.folder.journals(), "what is sealed needs no journal"
    assert shelf.open().state == "sealed"
    assert verify(shelf.folder, shelf.vault).segments == 1


def test_sound_plays_again(shelf: Shelf) -> None:
    shelf.track("t1", "OPUS")
    source = Source("OPUS")
    shelf.journal("t1", [source.begin(), *source.stream(encoded("OPUS", 150), step=0.02)])
    (segment,) = shelf.seal(state="sealed").segments
    assert segment["duration"] == pytest.approx(3.0, abs=0.01)
    # All but the encoder's pre-skip.
    assert sum(samples for _, samples in shelf.played()) == 144_000 - 312


def test_packets_are_put_in_order_and_taken_once(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source()
    records = source.stream(encoded("VP8", 60))
    shuffled = [source.begin()]
    for at in range(0, len(records), 7):
        block = records[at : at + 7]
        shuffled += [*block[3:], *block[:3], *block[2:4]]
    shelf.journal("t1", shuffled)
    (segment,) = shelf.seal(state="sealed").segments
    assert (segment["pictures"], segment["lost"]) == (60, 0)


def test_a_lost_picture_is_a_gap_that_is_marked(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source()
    units = encoded("VP8", 60)
    records = [source.begin()]
    for index, data in enumerate(units):
        made = source.picture(index / 30, data, index)
        records += [] if index == 40 else made
    shelf.journal("t1", records)
    (segment,) = shelf.seal(state="sealed").segments
    assert segment["lost"] >= 1
    assert segment["pictures"] >= 58
    ((start, end, reason),) = segment["gaps"]
    assert reason == "lost"
    assert (start, end) == pytest.approx((39 / 30 + source.delay, 41 / 30 + source.delay), abs=0.01)


def minute(source: Source, start: int, seconds: int) -> list[bytes]:
    """So many seconds with a key frame every ten, from this second on."""
    units = encoded("VP8", 100, every=100)
    records: list[bytes] = []
    for block in range(start, start + seconds, 10):
        records += source.stream(units, float(block), step=0.1)
    return records


def test_rounds_seal_what_has_ended_and_keep_the_rest(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source()
    shelf.journal("t1", [source.begin(), *minute(source, 0, 60)])
    first = shelf.seal(now=60.0)
    assert [(line["number"], line["pictures"]) for line in first.segments] == [(0, 500)]
    assert shelf.folder.journals()
    shelf.journal("t1", minute(source, 60, 60), number=1)
    shelf.seal(now=120.0)
    shelf.journal("t1", minute(source, 120, 30), number=2)
    shelf.seal(state="sealed")
    recording = shelf.open()
    segments = recording.segments(recording.tracks[0])
    assert sum(line["pictures"] for line in shelf.manifest.lines() if line["type"] == "segment") == 1_500
    for before, after in pairwise(segments):
        assert after.start_seconds == pytest.approx(before.start_seconds + before.duration_seconds, abs=0.02)
        assert after.keyframes[0] == after.start_seconds
    assert not any(segment.gaps for segment in segments)
    assert not shelf.folder.journals()
    assert shelf.seal(state="sealed").segments == [], "it has ended"


def test_old_journals_go_and_the_clock_stays(shelf: Shelf) -> None:
    """The record that ties a worker's clock to the system's is in the first journal alone."""
    shelf.track("t1")
    source = Source()
    for number in range(6):
        begin = [source.begin()] if number == 0 else []
        shelf.journal("t1", [*begin, *minute(source, 20 * number, 20)], number=number)
        shelf.seal(now=20.0 * (number + 1))
    assert min(number for number, _ in shelf.folder.journals()["t1"]) >= 1  # type: ignore[index]
    shelf.seal(state="sealed")
    recording = shelf.open()
    last = recording.segments(recording.tracks[0])[-1]
    assert last.start_seconds + last.duration_seconds == pytest.approx(120.0, abs=0.2)


def test_a_torn_journal_costs_its_last_chunk_alone(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source()
    path = shelf.journal("t1", [source.begin(), *source.stream(encoded("VP8", 60, every=60))], per_chunk=6)
    path.write_bytes(path.read_bytes()[:-37])
    (segment,) = shelf.seal(state="sealed").segments
    assert 50 <= segment["pictures"] < 60


def test_a_damaged_journal_costs_one_chunk_and_is_kept_and_told(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source("VP8")
    units = encoded("VP8", 100, every=1)
    records = [source.begin(), *source.stream(units)]
    path = shelf.journal("t1", records, per_chunk=1)
    whole = shelf.journal("t1", source.stream(units, 100 / 30), number=1, per_chunk=1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    shelf.seal(now=2.0)
    outcome = shelf.seal(state="sealed")
    assert outcome.damaged == 0, "told in the round before"
    assert sum(line["pictures"] for line in outcome.segments) == 199
    assert sum(line["lost"] for line in outcome.segments) == 1
    assert (kept(shelf), path.exists(), whole.exists()) == (["t1.0.journal"], False, False)
    told = [line for line in shelf.manifest.lines() if line["type"] == "event"]
    assert [(line["name"], line["journal"], line["value"]) for line in told] == [
        ("journal_damaged", "t1.0.journal", 1)
    ]
    assert [event.name for event in shelf.open().events if event.track == "t1"].count("journal_damaged") == 1
    assert verify(shelf.folder, shelf.vault).closed


def test_without_a_key_frame_a_segment_still_ends(shelf: Shelf) -> None:
    shelf.track("t1")
    source = Source()
    units = encoded("VP8", 200, every=1_000)
    records = [source.begin(), *source.stream(units, step=2.0 / 10)]
    records += source.stream(units[1:], 40.0, step=2.0 / 10) + source.stream(units[1:], 79.8, step=0.2)
    records += source.stream(units[1:], 119.6, step=0.2) + source.stream(units[1:], 159.4, step=0.2)
    records += source.stream(units[1:], 199.2, step=0.2) + source.stream(units[1:], 239.0, step=0.2)
    records += source.stream(units[1:], 278.8, step=0.2)
    shelf.journal("t1", records)
    shelf.seal(now=340.0)
    recording = shelf.open()
    assert [round(s.duration_seconds) for s in recording.segments(recording.tracks[0])] == [300]


def test_a_second_location_is_read_too(shelf: Shelf, tmp_path: Path) -> None:
    from mediaserver.recording.folder import RecordingFolder
    from mediaserver.recording.journal import Journal
    from mediaserver.recording.seal import Order, seal

    track = shelf.track("t1")
    source = Source()
    records = source.stream(encoded("VP8", 60))
    shelf.journal("t1", [source.begin(), *records[:30]])
    other = RecordingFolder.of(tmp_path / "second", shelf.id)
    other.make()
    journal = Journal(other.journal(track, 1), shelf.key)
    journal.append(b"".join(records[30:]))
    journal.close()
    outcome = seal(Order(RecordingFolder(shelf.folder.path, (other.path,)), state="sealed"), shelf.vault)
    assert [line["pictures"] for line in outcome.segments] == [60]
    assert not other.journals()


def test_a_journal_of_another_key_is_kept_and_told(shelf: Shelf) -> None:
    shelf.track("t1")
    path = shelf.folder.path / "journal" / "t1.0.journal"
    path.write_bytes(b"something else altogether, long enough")
    outcomes = [shelf.seal(now=2.0), shelf.seal(state="sealed")]
    assert [outcome.unreadable for outcome in outcomes] == [1, 0]
    assert kept(shelf) == ["t1.0.journal"]
    told = [line for line in shelf.manifest.lines() if line["type"] == "event"]
    assert [(line["name"], line["track"], line["journal"]) for line in told] == [
        ("journal_unreadable", "t1", "t1.0.journal")
    ]
    assert verify(shelf.folder, shelf.vault).closed


@pytest.mark.parametrize("codec", [*CODECS, "OPUS"])
def test_whatever_a_publisher_sends_only_its_own_pictures_are_lost(tmp_path: Path, codec: str) -> None:
    """Seeded: bits of headers are flipped, payloads cut."""
    chance = random.Random(codec)
    good = Source(ssrc=9, publication=6)
    others = [good.begin(), *good.stream(encoded("VP8", 30))]
    for number in range(12):
        shelf = Shelf(tmp_path / str(number))
        shelf.track("bad", codec)
        shelf.track("good")
        source = Source(codec)
        records = [source.begin()]
        for index, data in enumerate(encoded(codec, 10)):
            hurt = bytearray(data)
            for _ in range(4 if index == 0 else 1):
                hurt[chance.randrange(min(len(hurt), 24))] ^= 1 << chance.randrange(8)
            records += hurt_packets(source, index, bytes(hurt), chance)
        shelf.journal("bad", records)
        shelf.journal("good", others)
        lines = shelf.seal(state="sealed").segments
        assert [line["pictures"] for line in lines if line["track"] == "good"] == [30]
        assert verify(shelf.folder, shelf.vault).closed
        sealed = any(line["track"] == "bad" for line in lines)
        assert sealed or (unsealable(shelf) and kept(shelf) == ["bad.0.journal"])


def hurt_packets(source: Source, index: int, data: bytes, chance: random.Random) -> list[bytes]:
    try:
        made = source.picture(index / 30, data, index)
    except IndexError:  # what no encoder says, our own packetiser cannot follow
        made = source.picture(index / 30, bytes([chance.randrange(256) for _ in range(40)]), index)
    return [made[0][: chance.randrange(40, 60)], *made[1:]] if chance.random() < 0.05 else made


SPS = {"huge": (2**31, 4, ()), "negative": (1, 1, (40, 40, 0, 0)), "none": (0, 0, (4, 4, 4, 4))}


@pytest.mark.parametrize("size", SPS)
def test_a_picture_of_no_size_stops_nothing(shelf: Shelf, size: str) -> None:
    start, pps, idr = b"\0\0\0\1", bytes([0x68, 0xCE, 0x3C, 0x80]), bytes([0x65]) + b"\x88" * 40
    shelf.track("bad", "H264")
    shelf.track("good")
    bad, good = Source("H264"), Source(ssrc=9, publication=6)
    picture = start + parameter_set(*SPS[size]) + start + pps + start + idr
    shelf.journal("bad", [bad.begin(), *bad.stream([picture] * 10)])
    shelf.journal("good", [good.begin(), *good.stream(encoded("VP8", 30))])
    outcome = shelf.seal(state="sealed")
    assert [(line["track"], line["pictures"]) for line in outcome.segments] == [("good", 30)]
    assert outcome.unsealable == 1
    assert (unsealable(shelf), kept(shelf)) == ([("bad", "lost")], ["bad.0.journal"])
    assert verify(shelf.folder, shelf.vault).closed


def parameter_set(width: int, height: int, crop: tuple[int, ...]) -> bytes:
    """ITU-T H.264 section 7.3.2.1, baseline, in macroblocks."""

    def golomb(number: int) -> str:
        bits = f"{number + 1:b}"
        return "0" * (len(bits) - 1) + bits

    bits = f"{66:08b}{0xC0:08b}{30:08b}" + "".join(map(golomb, (0, 0, 2, 1))) + "0"
    bits += golomb(width) + golomb(height) + "11"
    bits += ("1" + "".join(map(golomb, crop)) if crop else "0") + "01"
    bits += "0" * (-len(bits) % 8)
    return bytes([0x67]) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def test_journals_of_a_track_that_nobody_wrote_down_are_kept_and_told(shelf: Shelf) -> None:
    source = Source()
    shelf.journal("tlost", [source.begin(), *source.stream(encoded("VP8", 30))])
    assert shelf.seal(now=60.0).unsealable == 0, "its line may still come"
    assert shelf.seal(state="sealed").unsealable == 1
    told = [line for line in shelf.manifest.lines() if line["type"] == "event"]
    assert [(line["name"], line["track"], line["value"]) for line in told] == [("track_unknown", "tlost", 1)]
    assert kept(shelf) == ["tlost.0.journal"]


def test_an_error_of_ours_costs_one_track(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.track("bad", "VP9")
    shelf.track("good")
    for codec, track, ssrc in (("VP9", "bad", 8), ("VP8", "good", 9)):
        source = Source(codec, ssrc=ssrc, publication=ssrc)
        shelf.journal(track, [source.begin(), *source.stream(encoded(codec, 30))])

    def wrong(_: object) -> Unit:
        raise IndexError

    monkeypatch.setitem(depacketise._BY_CODEC, "VP9", wrong)
    assert [len(shelf.seal(now=at).segments) for at in (60.0, 61.0)] == [1, 0]
    assert shelf.folder.journals().get(TrackId("bad")), "an update may mend it"
    shelf.seal(state="sealed")
    assert (unsealable(shelf), kept(shelf)) == ([("bad", "IndexError")], ["bad.0.journal"])
