"""Samples as a healthy room has them; tests change what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediaserver.operations.model import LegSample, Sample, SourceSample, ViewSample
from mediaserver.policy import Role
from mediaserver.store.rooms import RoomNames
from mediaserver.vault import Vault

AT_MS = 1_800_000_000_000
ROOMS = RoomNames(Vault([bytes(range(32))]))
"""As a server with a master key holds rooms' names."""


def leg(**more: Any) -> LegSample:
    """A good way."""
    good = {
        "phase": "connected",
        "bits_per_second": 1_500_000,
        "loss_before_ratio": 0.0,
        "loss_after_ratio": 0.0,
    }
    return LegSample(**{**good, "round_trip_seconds": 0.02, **more})


def source(**more: Any) -> SourceSample:
    """A camera that sends 25 frames a second."""
    good = {"publication": "scope", "kind": "video", "source_type": "endoscope", "bits_per_second": 1_400_000}
    return SourceSample(**{**good, "age_seconds": 0.02, "frames_per_second": 25.0, "layers": (0,), **more})


def view(**more: Any) -> ViewSample:
    """That camera as somebody sees it."""
    good = {"publication": "scope", "kind": "video", "state": "forwarding", "layer": 0}
    return ViewSample(**{**good, "bits_per_second": 1_400_000, "frames_per_second": 25.0, **more})


def surgeon(at_ms: int = AT_MS, **more: Any) -> Sample:
    """Who sends it."""
    good = {"participant": "surgeon-1", "role": Role.SURGEON, "up": leg(), "sources": (source(),)}
    return Sample(at_ms=at_ms, **{**good, **more})


def observer(at_ms: int = AT_MS, **more: Any) -> Sample:
    """Who watches it."""
    good = {"participant": "observer-1", "role": Role.OBSERVER, "down": leg(), "views": (view(),)}
    return Sample(at_ms=at_ms, **{**good, **more})


class Plain(dict[int, Any]):
    """Figures by handle, as the plane gives them; for seconds that no plane can be brought to."""

    def rows(
        self, names: Sequence[str], grown: Sequence[str], before: Plain | None
    ) -> dict[int, tuple[Any, ...]]:
        """What ``_dataplane.FiguresByHandle.rows`` tells (``tests/seam`` compares)."""
        return {
            handle: (
                *map(figures.get, names),
                *(
                    max(0, figures.get(name, 0) - before[handle].get(name, 0))
                    if before and handle in before
                    else 0
                    for name in grown
                ),
            )
            for handle, figures in self.items()
        }
