"""How long a packet stays in the server at half of one processor's load.

    sudo .venv/bin/python benchmarks/latency.py

The load is rooms of one publisher and twenty viewers, on one worker. All viewers join as real WebRTC
endpoints; then those of all rooms but one only empty their sockets, so that one processor can bear so many. A
first run with some rooms shows what a room costs; from that follows how many make half a processor busy. Time
in the server is the server's own histogram, from the socket's arrival time to the send, for every packet to
every viewer (the aim: p50 at most 0.2 ms, p99 at most 2 ms); the one-way delay that the last room's viewers
see holds both kernels as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import histogram, load, processor, results, servers
from benchmarks.forwarding import DELAY
from benchmarks.link import Place, prepare

ROOM_VIEWERS, TRIAL_ROOMS = 20, 20
TRIAL_SECONDS = 5.0
JOINING_AT_ONCE = 4
"""Rooms whose viewers join at the same time: more would only wait for handshakes."""


def _await_start(client: subprocess.Popen[str]) -> None:
    assert client.stdout is not None
    for line in client.stdout:
        if json.loads(line)["event"] == "start":
            return
    sys.exit("a room's load client ended before its viewers saw media")


@contextlib.contextmanager
def background(place: Place, server: servers.Running, rooms: int) -> Iterator[None]:
    """That many rooms whose viewers empty their sockets."""
    clients: list[subprocess.Popen[str]] = []
    options = ["--json", "--drain", "--viewers", str(ROOM_VIEWERS), "--bind", place.client_address]
    options += ["--profile", "gcm", "--settle", "0.1", "--duration", "600"]
    try:
        for first in range(0, rooms, JOINING_AT_ONCE):
            for number in range(first, min(first + JOINING_AT_ONCE, rooms)):
                joining = server.client_arguments(f"room-{number}")
                command = [*place.client_prefix, servers.binary("loupe-loadtest"), *joining, *options]
                clients.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            for client in clients[first:]:
                _await_start(client)
        yield
    finally:
        for client in clients:
            client.kill()
            client.wait()


def room_share(place: Place) -> float:
    """What one room costs, as a part of a processor."""
    with servers.ours(place) as running, background(place, running, TRIAL_ROOMS):
        before = processor.cpu_seconds(running.pid)
        time.sleep(TRIAL_SECONDS)
        used = processor.cpu_seconds(running.pid) - before
    return used / TRIAL_SECONDS / TRIAL_ROOMS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.5, help="part of one processor [0.5]")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the window [20]")
    arguments = parser.parse_args()
    machine, place = results.machine(), prepare()
    print(place.note)
    rooms = max(1, round(arguments.share / room_share(place)))
    with servers.ours(place) as running, background(place, running, rooms - 1):
        watch = histogram.Watch(place, running, DELAY)
        options = ("--duration", str(arguments.seconds), "--profile", "gcm")
        window = load.run(place, running, ROOM_VIEWERS, *options, at_window=watch.note)
    found: dict[str, Any] = {
        "place": place.note,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine,
        "asked_share": arguments.share,
        "rooms": rooms,
        "forward_delay_ms": watch.quantiles_ms(),
    } | window.row()
    results.write("latency", found)
    print(results.latency_table(found))


if __name__ == "__main__":
    main()
