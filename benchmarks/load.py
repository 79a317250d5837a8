"""One run of the load client, with the server watched in the window that the client names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import processor
from benchmarks.link import Place
from benchmarks.servers import Running, binary


@dataclass(frozen=True)
class Window:
    """What one run showed. Times as their names say; ``report`` is the client's own."""

    viewers: int
    packets: int
    seconds: float
    server_parts: dict[str, float]
    """Processor seconds of the server by kinds of threads (``processor.by_thread``)."""
    resident_bytes: int
    report: dict[str, Any]

    @property
    def server_cpu_seconds(self) -> float:
        """Processor seconds of the whole server."""
        return sum(self.server_parts.values())

    @property
    def us_per_packet(self) -> float:
        """Processor microseconds of the whole server for each packet that reached a viewer."""
        return sum(self.us_by_thread.values())

    @property
    def us_by_thread(self) -> dict[str, float]:
        """The same by kinds of threads."""
        return {name: spent * 1e6 / max(self.packets, 1) for name, spent in self.server_parts.items()}

    @property
    def server_share(self) -> float:
        """Part of one processor that the server used."""
        return self.server_cpu_seconds / max(self.seconds, 1e-9)

    def row(self) -> dict[str, Any]:
        """For the results file."""
        window = self.report["window"]
        return {
            "viewers": self.viewers,
            "with_media": self.report["viewers"]["with_media"],
            "packets": self.packets,
            "delivered_share": round(self.packets / max(window["expected"], 1), 4),
            "seconds": round(self.seconds, 3),
            "us_per_packet": round(self.us_per_packet, 3),
            "us_by_thread": {name: round(cost, 3) for name, cost in self.us_by_thread.items()},
            "server_share": round(self.server_share, 4),
            "client_share": round(window["cpu_share"], 4),
            "resident_bytes": self.resident_bytes,
            "one_way_delay_ms": window["one_way_delay_ms"],
            "lost_after_repair": self.report["lost_after_repair"],
            "nacks_sent": self.report["nacks_sent"],
            "frames_incomplete": self.report["frames_incomplete"],
            "publisher_latest_frame_ms": max(
                (p["latest_frame_ms"] for p in self.report["publishers"]), default=0.0
            ),
            "failures": self.report["failures"][:5],
        }


def run(
    place: Place,
    server: Running,
    viewers: int,
    *options: str,
    at_window: Callable[[str], None] | None = None,
) -> Window:
    """Runs the client; ``at_window`` is told ``start`` and ``end`` of the measured window."""
    command = [*place.client_prefix, binary("loupe-loadtest"), *server.client_arguments(), "--json"]
    command += ["--viewers", str(viewers), "--bind", place.client_address, *options]
    cpu: dict[str, dict[str, float]] = {}
    resident, report = 0, None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        for line in client.stdout:
            message = json.loads(line)
            if message["event"] in {"start", "end"}:
                cpu[message["event"]] = processor.by_thread(server.pid)
                resident = processor.resident_bytes(server.pid)
                if at_window is not None:
                    at_window(message["event"])
            elif message["event"] == "report":
                report = message
    if report is None or "end" not in cpu:
        sys.exit(f"the load client saw no media of {server.name}: {json.dumps(report)[:2000]}")
    window = report["window"]
    used = {name: spent - cpu["start"][name] for name, spent in cpu["end"].items()}
    return Window(viewers, window["packets"], window["seconds"], used, resident, report)
