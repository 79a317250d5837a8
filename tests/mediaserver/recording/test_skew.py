"""Tracks of one room stay in step for hours, whatever befalls them and their publishers' clocks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from mediaserver.ids import TrackId
from tests.recorded import Shelf, Source, encoded

MINUTES, EVERY = 120, 10
"""Of the recording; seconds between key frames."""
ALLOWED_SECONDS = 0.040
PAUSED, BACK, LARGER = range(20, 22), 50, 80
"""Minutes without pictures, and those in which another connection and another resolution begin."""
# Pictures that both draw at the same moments: two a second, a key frame every ten seconds.
PER_MINUTE, STEP = 120, 0.5
Happens = Callable[[Shelf, dict[TrackId, Source], int, random.Random], None]


def drift(shelf: Shelf, sources: dict[TrackId, Source], minute: int, chance: random.Random) -> None:
    """A minute of both tracks over links that jitter."""
    units = encoded("VP8", 20, every=20)
    for track, source in sources.items():
        records = [source.begin()] if minute == 0 else []
        shelf.journal(track, records + filmed(source, minute, units, chance, loss=0.0), minute)


def befall(shelf: Shelf, sources: dict[TrackId, Source], minute: int, chance: random.Random) -> None:
    """The same, of which one packet in fifty is lost; the second publisher pauses, comes back by another
    connection with other clocks, and changes its resolution."""
    first, second = sources
    if minute == BACK:
        # The device and its drift are the same; its browser counts from elsewhere.
        sources[second] = Source(
            ssrc=3, publication=3, drift_ppm=-100.0, ntp_offset=3.7e9, rtp=77, seq=9, worker_shift=3_000_000
        )
    for track in (first, second):
        source, records = sources[track], []
        if minute == 0 or (track is second and minute == BACK):
            records = [source.begin(minute * 60.0)]
        if track is second and minute == PAUSED.start:
            records.append(source.muted(minute * 60.0, True))
        if track is second and minute == PAUSED.stop:
            records.append(source.muted(minute * 60.0, False))
        size = (320, 180) if track is second and minute >= LARGER else (160, 96)
        if track is first or minute not in PAUSED:
            records += filmed(source, minute, encoded("VP8", 20, 20, size), chance, loss=0.02)
        shelf.journal(track, records, minute)


def filmed(
    source: Source, minute: int, units: Sequence[bytes], chance: random.Random, *, loss: float
) -> list[bytes]:
    """Records of one minute; key frames are never lost, since they are what is compared."""
    records: list[bytes] = []
    for index in range(PER_MINUTE):
        at = minute * 60 + index * STEP
        source.delay = 0.02 + chance.random() * 0.06
        made = source.picture(at, units[index % len(units)], index)
        keyframe = index % len(units) == 0
        records += [record for record in made if keyframe or chance.random() >= loss]
        if index % 2:
            source.delay = 0.02 + chance.random() * 0.06
            records.append(source.report(at + 0.1))
    return records


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("happens", [drift, befall])
def test_two_hours_with_clocks_that_drift_apart(tmp_path: Path, happens: Happens) -> None:
    """One publisher's clocks run 100 ppm fast and its link jitters, the other's 100 ppm slow: 200 ppm
    apart."""
    shelf = Shelf(tmp_path)
    chance = random.Random(7)
    sources = {
        shelf.track("t1"): Source(ssrc=1, publication=1, drift_ppm=100.0),
        shelf.track("t2"): Source(ssrc=2, publication=2, drift_ppm=-100.0, ntp_offset=3.8e9, rtp=5_000),
    }
    for minute in range(MINUTES):
        happens(shelf, sources, minute, chance)
        shelf.seal(now=(minute + 1) * 60.0)
    shelf.seal(state="sealed")
    frames = {track: keyframes(shelf, track) for track in sources}
    first, second = frames.values()
    absent = {minute * 6 + index for minute in PAUSED for index in range(6)} if happens is befall else set()
    assert set(first) == set(range(MINUTES * 60 // EVERY))
    assert set(second) == set(first) - absent
    skew = [abs(first[number] - second[number]) for number in sorted(second)]
    off = [abs(at - EVERY * number - 0.02) for found in frames.values() for number, at in found.items()]
    worst, error = max(skew) * 1000, max(off) * 1000
    print(f"skew: worst {worst:.1f} ms, at the end {skew[-1] * 1000:.1f} ms; worst error {error:.1f} ms")
    assert max(skew) <= ALLOWED_SECONDS
    for found in frames.values():
        assert all(after > before for before, after in pairwise(found.values()))


def keyframes(shelf: Shelf, track: TrackId) -> dict[int, float]:
    """Where key frames lie on the axis, by how many were drawn before: both draw them at whole tens of
    seconds."""
    lines = [line for line in shelf.manifest.lines() if line["type"] == "segment" and line["track"] == track]
    found = [at for line in lines for at in line["keyframes"]]
    numbered = {round(at / EVERY): at for at in found}
    assert len(numbered) == len(found)
    return numbered
