"""Tracks of one room stay in step for hours, whatever their publishers' clocks do."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from tests.recorded import Shelf, Source, encoded

MINUTES = 120


@pytest.mark.slow
def test_two_hours_with_clocks_that_drift_apart(tmp_path: Path) -> None:
    """One publisher's clocks run 100 ppm fast and its link jitters, the other's 100 ppm slow: 200 ppm
    apart."""
    shelf = Shelf(tmp_path)
    chance = random.Random(7)
    sources = {
        shelf.track("t1"): Source(ssrc=1, publication=1, drift_ppm=100.0),
        shelf.track("t2"): Source(ssrc=2, publication=2, drift_ppm=-100.0, ntp_offset=3.8e9, rtp=5_000),
    }
    # Pictures that both draw at the same moments: two a second, a key frame every ten seconds.
    units = encoded("VP8", 20, every=20)
    for minute in range(MINUTES):
        for track, source in sources.items():
            records = [source.begin()] if minute == 0 else []
            for index in range(120):
                at = minute * 60 + index * 0.5
                source.delay = 0.02 + chance.random() * 0.06
                records += source.picture(at, units[index % 20], index)
                if index % 2:
                    source.delay = 0.02 + chance.random() * 0.06
                    records.append(source.report(at + 0.1))
            shelf.journal(track, records, minute)
        shelf.seal(now=(minute + 1) * 60.0)
    shelf.seal(state="sealed")
    lines = [line for line in shelf.manifest.lines() if line["type"] == "segment"]
    # Key frames are drawn at whole tens of seconds by both.
    frames = {
        track: [at for line in lines if line["track"] == track for at in line["keyframes"]]
        for track in sources
    }
    assert all(len(found) == MINUTES * 6 for found in frames.values())
    skew = [abs(a - b) for a, b in zip(*frames.values(), strict=True)]
    off = [abs(at - 10 * index - 0.02) for found in frames.values() for index, at in enumerate(found)]
    worst, error = max(skew) * 1000, max(off) * 1000
    print(f"skew: worst {worst:.1f} ms, at the end {skew[-1] * 1000:.1f} ms; worst error {error:.1f} ms")
    assert max(skew) <= 0.040
    assert skew[-1] <= 0.040
    for found in frames.values():
        assert all(after > before for before, after in pairwise(found))
