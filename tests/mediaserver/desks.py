"""A desk over a real server, and seconds for it."""

from __future__ import annotations

from pathlib import Path

from mediaserver.config import Alerts, Data
from mediaserver.operations.desk import Desk
from mediaserver.plane import open_plane
from mediaserver.server import Server
from tests.mediaserver.peers import settings
from tests.mediaserver.seconds import AT_MS, ROOMS


class Recorder:
    lag_seconds: float | None = None
    failed = False

    ahead_ms = 0
    """Of the desk's clock: that of what is recorded, where somebody set the other."""

    def __init__(self) -> None:
        self._second = 0

    def clock_ms(self, room: str) -> int | None:
        if room != "theatre-1":
            return None
        self._second += 1
        return AT_MS + (self._second - 1) * 1000 + self.ahead_ms


def make(folder: Path, alerts: Alerts | None = None) -> tuple[Server, Desk]:
    chosen = settings().model_copy(update={"data": Data(folder=folder), "alerts": alerts or Alerts()})
    server = Server(chosen, open_plane(chosen.media))
    return server, over(server)


def over(server: Server) -> Desk:
    """As the application makes it."""
    return Desk(server.registry, ROOMS, draining=lambda: server.draining, decided=server.adaptation.decision)


def play(server: Server, desk: Desk, seconds: int, start: int = 0) -> None:
    for second in range(start, start + seconds):
        desk.second(server.registry.plane.stats(), 1000.0 + second, AT_MS + second * 1000)
