"""A copy names every sealed segment it was made of, in one value where there is room for one only."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mediaserver.review.export.provenance import Provenance, moment, trace
from mediaserver.review.purposes import Use
from tests.mediaserver.review.recorded import RECORDING, theatre

NOW = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)


def test_only_what_the_span_touches_is_named(tmp_path: Path) -> None:
    recording = theatre(tmp_path)
    made = trace(recording, ["t-cam-a", "t-mic"], 4.5, 7.0, NOW, Use.CARE)
    assert [(one.track, one.segment) for one in made.sources] == [("t-cam-a", 1), ("t-mic", 0)]
    for one in made.sources:
        [file] = (tmp_path / RECORDING / "segments" / one.track).glob(f"{one.segment:06d}.*")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == one.sha256, (
            "of the sealed file, as the manifest has it"
        )
    assert made.digest == hashlib.sha256("".join(one.sha256 for one in made.sources).encode()).hexdigest()
    assert made.digest in made.sentence
    assert len(made.sentence) < 400
    assert (made.from_utc, made.made_utc) == ("2026-03-09T01:30:04.500Z", "2026-04-01T08:00:00.000Z")
    assert msgspec.json.decode(made.as_json(), type=Provenance) == made


def test_moments_are_utc(tmp_path: Path) -> None:
    assert moment(theatre(tmp_path), 90).isoformat() == "2026-03-09T01:31:30+00:00"
