"""The page of metrics says how recording does, and of whom nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from prometheus_client import CollectorRegistry, generate_latest

from mediaserver.recording.figures import Figures
from mediaserver.recording.metrics import RecordingCollector


def page(**known: Any) -> dict[str, float]:
    registry = CollectorRegistry()
    indexing = SimpleNamespace(unreadable=1)
    registry.register(RecordingCollector(cast(Any, SimpleNamespace(**known)), cast(Any, indexing)))
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs if not name.endswith("_created")}


def test_it_tells_what_there_is() -> None:
    figures = Figures()
    figures.take({"event": "up"})
    told = {"written": 9, "rate": 3, "free_bytes": 80, "seconds_left": 27, "lag_seconds": 0.1}
    figures.take({"event": "figures", **told})
    figures.take({"event": "disk_stalled", "location": 0, "elsewhere": True})
    figures.take({"event": "missed", "recording": "r1", "records": 4})
    assert page(figures=figures, count=2) == {
        "loupe_recorder_recordings": 2,
        "loupe_recorder_written_bytes_total": 9,
        "loupe_recorder_starts_total": 1,
        "loupe_recorder_seal_failures_total": 0,
        "loupe_recorder_damaged_chunks_total": 0,
        "loupe_recorder_unreadable_journals_total": 0,
        "loupe_recorder_unsealable_spans_total": 0,
        "loupe_recorder_missed_records_total": 4,
        "loupe_recordings_unreadable": 1,
        'loupe_recorder_disk_trouble_total{reason="full"}': 0,
        'loupe_recorder_disk_trouble_total{reason="stalled"}': 1,
        'loupe_recorder_disk_trouble_total{reason="failed"}': 0,
        "loupe_recorder_disk_free_bytes": 80,
        "loupe_recorder_disk_left_seconds": 27,
    }


def test_what_is_not_known_is_absent() -> None:
    names = page(figures=Figures(), count=0)
    assert "loupe_recorder_disk_free_bytes" not in names
