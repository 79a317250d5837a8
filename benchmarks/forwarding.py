"""What forwarding a packet costs: our server, the floor and, with ``--peer janus``, Janus, in one run.

    sudo .venv/bin/python benchmarks/forwarding.py --peer janus

One publisher (720p VP8 at 1.5 Mbit/s, Opus) and 1, 10, 100, 400 viewers that are real WebRTC endpoints. The
figure is processor time of the server's whole process tree in a window after all have joined, divided by
the RTP packets that reached viewers in it. The floor sends the same mix with the same encryption and does
nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import histogram, load, results, servers
from benchmarks.link import Place, prepare

VIEWERS = (1, 10, 100, 400)
DELAY = "loupe_forward_delay_seconds"
REPORTS_A_SECOND = 20
"""As often as the load client's viewers send feedback."""


def floor(place: Place, viewers: int, seconds: float, profile: str, reports: int = 0) -> dict[str, Any]:
    """The floor for this many viewers, with a sink that reads it and sends so many reports a second each."""
    common = ["--address", place.client_address, "--viewers", str(viewers), "--profile", profile]
    common += ["--reports", str(reports)]
    program = servers.binary("floor")
    with subprocess.Popen(
        [*place.client_prefix, program, "sink", *common], stdout=subprocess.PIPE, text=True
    ) as sink:
        assert sink.stdout is not None
        sink.stdout.readline()
        send = [*place.server_prefix, program, "send", *common, "--seconds", str(seconds)]
        sent: dict[str, Any] = json.loads(
            subprocess.run(send, check=True, capture_output=True, text=True).stdout
        )
        received = json.loads(sink.stdout.readline())["packets"]
    return {
        "viewers": viewers,
        "us_per_packet": round(sent["us_per_packet"], 3),
        "packets": sent["packets"],
        "reports": sent["reports"],
        # The sink's count holds the second of warm-up, the sender's does not.
        "received_share": round(min(received / max(sent["packets"], 1), 1.0), 4),
    }


def measure(
    place: Place,
    server: Callable[[], AbstractContextManager[servers.Running]],
    arguments: argparse.Namespace,
) -> list[dict[str, Any]]:
    """One server at every number of viewers, started anew for each so that memory is comparable."""
    rows = []
    for viewers in arguments.viewers:
        with server() as running:
            delays = histogram.Watch(place, running, DELAY)
            options = ("--duration", str(arguments.seconds), "--profile", arguments.profile)
            window = load.run(place, running, viewers, *options, at_window=delays.note)
            row = window.row() | {"forward_delay_ms": delays.quantiles_ms()}
            rows.append(row)
            parts = ", ".join(f"{name} {cost:.2f}" for name, cost in row["us_by_thread"].items())
            print(
                f"  {running.name:6} {viewers:4} viewers: {row['us_per_packet']:7.2f} us a packet ({parts})",
                flush=True,
            )
    return rows


def slope(rows: list[dict[str, Any]]) -> float | None:
    """Kilobytes of memory for each viewer more, between the smallest run of ten or more and the largest."""
    many = [row for row in rows if row["viewers"] >= 10]
    if len(many) < 2:
        return None
    first, last = many[0], many[-1]
    return float(
        (last["resident_bytes"] - first["resident_bytes"]) / (last["viewers"] - first["viewers"]) / 1e3
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", choices=["janus"], action="append", default=[], help="measure it too")
    parser.add_argument("--viewers", type=int, nargs="+", default=list(VIEWERS))
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each window [10]")
    parser.add_argument("--profile", choices=["gcm", "cm"], default="gcm", help="SRTP profile [gcm]")
    parser.add_argument("--without-loupe", action="store_true", help="only the floor and the peers")
    arguments = parser.parse_args()
    place = prepare()
    print(place.note)
    found: dict[str, Any] = {
        "place": place.note,
        "profile": arguments.profile,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": results.machine(),
        "servers": {},
    }
    for name, reports in (("floor", 0), ("floor_with_reports", REPORTS_A_SECOND)):
        found[name] = [
            floor(place, viewers, arguments.seconds, arguments.profile, reports)
            for viewers in arguments.viewers
        ]
    if not arguments.without_loupe:
        found["servers"]["loupe"] = measure(place, lambda: servers.ours(place), arguments)
    if "janus" in arguments.peer:
        if servers.janus_installed():
            found["servers"]["janus"] = measure(place, lambda: servers.janus(place), arguments)
        else:
            print("janus is not installed: left out (apt-get install janus)")
    found["memory_kb_per_viewer"] = {name: slope(rows) for name, rows in found["servers"].items()}
    suffix = "" if arguments.profile == "gcm" else f"-{arguments.profile}"
    results.write(f"forwarding{suffix}", found)
    print(results.forwarding_table(found))


if __name__ == "__main__":
    main()
