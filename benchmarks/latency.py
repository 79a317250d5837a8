"""How long a packet stays in the server at half of one processor's load.

    sudo .venv/bin/python benchmarks/latency.py

The load is rooms of one publisher and twenty viewers, on one worker. All viewers join as real WebRTC
endpoints; those of all rooms but one are light from their first key frame on: they report what comes, and
look into nothing, so that one processor can bear so many. Rooms are added until the server has the share of a
processor that was asked for; where the clients' processor is full before, or time is up, what is measured is
the share that was reached, and both shares stand beside it. Time in the server is the server's own histogram,
from reading a packet off its socket to the end of the system call that sends it, for every packet to every
viewer (the aim: p50 at most 0.2 ms, p99 at most 2 ms); the one-way delay that the last room's viewers see
holds both kernels, and the waiting for either side's processor, as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import histogram, load, processor, results, servers
from benchmarks.forwarding import DELAY
from benchmarks.link import Place, prepare

ROOM_VIEWERS, MOST_ROOMS = 20, 96
ROOMS_AT_ONCE, JOINS_PER_SECOND = 4, 10
"""Rooms whose viewers join at the same time, joins a second of each: more would only wait for handshakes."""
LOOK_SECONDS = 2.0
"""How long the shares are looked at after each addition."""
FILL_SECONDS = 120.0
"""No room is added after so long: with the last joins and the window a run ends within four minutes."""
FULL = 0.8
"""A clients' processor that is so busy is full: what it does late would be taken for the server's."""
LEAST_DELIVERED, LATEST_FRAME_MS = 0.99, 1e3 / 30
"""Where less arrives, or a frame leaves later, the clients were measured, and there is no result."""


@dataclass
class Background:
    """Rooms whose viewers are light."""

    place: Place
    server: servers.Running
    clients: list[subprocess.Popen[str]] = field(default_factory=list)

    def add(self, rooms: int) -> None:
        """That many more, until their viewers have seen pictures."""
        options = ["--json", "--viewing", "light", "--viewers", str(ROOM_VIEWERS), "--profile", "gcm"]
        options += ["--join-rate", str(JOINS_PER_SECOND), "--settle", "0.1", "--duration", "600"]
        options += ["--bind", self.place.client_address]
        names = [f"room-{len(self.clients) + number}" for number in range(rooms)]
        with ThreadPoolExecutor() as pool:
            for joining in list(pool.map(self.server.client_arguments, names)):
                command = [*self.place.client_prefix, servers.binary("loupe-loadtest"), *joining, *options]
                self.clients.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for client in self.clients[-rooms:]:
            _await_start(client)

    def end(self) -> None:
        """Ends all of them."""
        for client in self.clients:
            client.kill()
        for client in self.clients:
            client.wait()


def _await_start(client: subprocess.Popen[str]) -> None:
    assert client.stdout is not None
    for line in client.stdout:
        message = json.loads(line)
        if message["event"] == "joined" and (message["viewers"] < ROOM_VIEWERS or message["failures"]):
            seen, failed = message["viewers"], message["failures"]
            sys.exit(f"{seen} of a room's {ROOM_VIEWERS} viewers saw media, {failed} failed")
        if message["event"] == "start":
            return
    sys.exit("a room's load client ended before its viewers saw media")


@dataclass
class Shares:
    """What the server has of a processor, and how busy the clients' is, since this was made."""

    place: Place
    server: servers.Running

    def __post_init__(self) -> None:
        self._begun = self._now()

    def _now(self) -> tuple[float, float, float]:
        idle = processor.idle_seconds(self.place.client_processor)
        return time.monotonic(), processor.cpu_seconds(self.server.pid), idle

    def read(self) -> tuple[float, float]:
        """The server's, the clients' processor's."""
        passed, server, idle = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        return server / passed, 1 - idle / passed


@contextlib.contextmanager
def filled(place: Place, server: servers.Running, share: float) -> Iterator[int]:
    """Rooms that with one more bring the server to ``share`` of a processor, or as near as can be."""
    background, end = Background(place, server), time.monotonic() + FILL_SECONDS
    wanted = ROOMS_AT_ONCE
    try:
        while (rooms := len(background.clients)) < wanted:
            background.add(min(wanted - rooms, ROOMS_AT_ONCE))
            shares = Shares(place, server)
            time.sleep(LOOK_SECONDS)
            used, busy = shares.read()
            rooms = len(background.clients)
            print(f"{rooms} rooms: server {used:.1%}, clients' processor {busy:.1%}", flush=True)
            wanted = min(math.ceil(share * rooms / used) - 1, MOST_ROOMS - 1)
            if rooms < wanted and (busy >= FULL or time.monotonic() >= end):
                print("the clients' processor is full" if busy >= FULL else "time is up")
                break
        yield len(background.clients)
    finally:
        background.end()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.5, help="part of one processor [0.5]")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the window [20]")
    arguments = parser.parse_args()
    machine, place = results.machine(), prepare()
    print(place.note)
    with servers.ours(place) as running, filled(place, running, arguments.share) as rooms:
        watch, busy = histogram.Watch(place, running, DELAY), 0.0
        shares = Shares(place, running)

        def at_window(event: str) -> None:
            """Reading the server's page is no part of what is looked at."""
            nonlocal busy, shares
            busy = shares.read()[1]
            watch.note(event)
            shares = Shares(place, running)

        options = ("--duration", str(arguments.seconds), "--profile", "gcm")
        window = load.run(place, running, ROOM_VIEWERS, *options, at_window=at_window)
    found: dict[str, Any] = {
        "place": place.note,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine,
        "asked_share": arguments.share,
        "rooms": rooms + 1,
        "clients_processor_share": round(busy, 4),
        "forward_delay_ms": watch.quantiles_ms(),
    } | window.row()
    if found["delivered_share"] < LEAST_DELIVERED or found["publisher_latest_frame_ms"] > LATEST_FRAME_MS:
        print(results.latency_table(found))
        sys.exit("the load client came too late: this says nothing of the server, and is not kept")
    results.write("latency", found)
    print(results.latency_table(found))


if __name__ == "__main__":
    main()
