"""Whether recording slows forwarding: the time that packets spend in the server, with recording and without.

``python -m benchmarks.recording_delay [--windows 5] [--seconds 8] [--before-all]``

One server on loopback, one room, ten publications of 6 Mbit/s from real WebRTC endpoints and as many viewers.
Windows with and without recording take turns, in either order, so that whatever else the machine does meets
both alike; the ratio is the median of neighbours'. A window without recording begins when all before it is
sealed. Every picture is a key frame: a recorder asks for some, and were they larger than the rest, the
slowest packets would be those of the moments in which the key frames of several publishers meet. Time in the
server is the server's own histogram of every packet to every viewer; the processor time is that of the
recorder and its sealing worker.

On a machine whose processors the load client shares, the slowest packets are those of moments in which the
worker had to wait for a processor: ``--before-all`` puts it before all other processes (needs CAP_SYS_NICE),
and what is measured is its own work. A window in which viewers were not sent their pictures says nothing of
that load, and ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import histogram, processor, results, servers
from benchmarks.forwarding import DELAY
from benchmarks.link import Place, loopback

PUBLISHERS, VIEWERS, RATE_KBPS = 10, 10, 6000
KEY_FRAME_FACTOR = 4
"""A key frame of the load client has so many times the packets of another."""
SETTLE_SECONDS = 3.0
"""After each change: key frames were asked for, and taps filled."""
STOP_SECONDS, SEAL_SECONDS = 1.5, 30.0
"""Until a recording that was stopped says so in its manifest; until it is sealed at the latest."""
LEAST_PER_SECOND = 0.8 * VIEWERS * RATE_KBPS * 1000 / 8 / 1200
"""Packets that pictures of this rate make, with room for what a loaded machine delays; sound alone makes a
twelfth."""
GOAL_SHARE, GOAL_RATIO = 0.25, 1.10
CONSENT = {
    "decision": "given", "by": "Benchmark", "relation": "patient", "form": "written",
    "text_version": "1", "language": "vi",
}  # fmt: skip


class Theatre:
    """The room's REST side."""

    def __init__(self, server: servers.Running) -> None:
        self._server = server
        self._token = server.token("staff")
        opened = self._ask("/api/v1/procedures", {"room": servers.ROOM, "reference": "BENCH"})
        self._procedure: str = opened["id"]
        for purpose in ("recording", "outside_viewers"):
            self._ask(f"/api/v1/procedures/{self._procedure}/consents", CONSENT | {"purpose": purpose})

    def record(self, wanted: bool) -> None:
        """Starts or stops."""
        wish = {"action": "start", "procedure": self._procedure} if wanted else {"action": "stop"}
        self._ask(f"/api/v1/rooms/{servers.ROOM}/recording", wish)

    def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self._server.url + path,
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


@contextlib.contextmanager
def media(place: Place, server: servers.Running, seconds: float) -> Iterator[None]:
    """Publishers and viewers, once all of them have media."""
    options = ["--json", "--publishers", str(PUBLISHERS), "--rate-kbps", str(RATE_KBPS // KEY_FRAME_FACTOR)]
    options += ["--key-interval", "0", "--viewers", str(VIEWERS), "--bind", place.client_address]
    options += ["--duration", str(round(seconds))]
    command = [servers.binary("loupe-loadtest"), *server.client_arguments(), *options]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert client.stdout is not None
        if not any(json.loads(line)["event"] == "start" for line in client.stdout):
            sys.exit("the load client ended before its viewers saw media")
        yield
    finally:
        client.kill()
        client.wait()


def recorder(server: servers.Running) -> int:
    """Its process."""
    for pid in processor.tree(server.pid):
        if b"record" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return pid
    sys.exit("the server has no recorder")


def put_before_all(server: servers.Running) -> None:
    """The server's media workers, as sched(7) has it: first in, first out. Raises ``PermissionError``."""
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        if (task / "comm").read_text().startswith(processor.WORKER_THREAD):
            os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


def await_sealed(server: servers.Running) -> None:
    """Until nothing that is over waits for its sealing."""
    assert server.data is not None
    time.sleep(STOP_SECONDS)
    manifests = (server.data / "recordings").glob("*/manifest")
    end = time.monotonic() + SEAL_SECONDS
    for manifest in manifests:
        while b'"type":"stopped"' in (lines := manifest.read_bytes()) and b'"type":"end"' not in lines:
            if time.monotonic() > end:
                sys.exit("what was recorded is not sealed")
            time.sleep(0.1)


def measure(windows: int, seconds: float, *, before_all: bool) -> dict[str, Any]:
    """One run."""
    place = loopback("loopback, unpinned")
    os.environ["LOUPE_RECORDING_MASTER_KEY"] = secrets.token_hex(32)
    os.environ["LOUPE_WATCH__PICTURES"] = "false"  # a probe would be given every picture here
    found: dict[bool, list[float]] = {False: [], True: []}
    flows: dict[bool, list[int]] = {False: [], True: []}
    shares: list[float] = []
    whole = 2 * windows * (seconds + SETTLE_SECONDS + STOP_SECONDS + 4) + 10
    with contextlib.ExitStack() as running:
        server = running.enter_context(servers.ours(place))
        if before_all:
            put_before_all(server)
        theatre = Theatre(server)  # opened before its viewers come: a new patient sends observers out
        running.enter_context(media(place, server, whole))
        pid = recorder(server)
        for number in range(2 * windows):
            # Off on, on off, off on: what changes slowly cancels out.
            recording = number % 4 in (1, 2)
            if number % 2:
                theatre.record(recording)
                await_sealed(server)
            time.sleep(SETTLE_SECONDS)
            watch, used = histogram.Watch(place, server, DELAY), processor.cpu_seconds(pid)
            watch.note("start")
            begun = time.monotonic()
            time.sleep(seconds)
            watch.note("end")
            elapsed = time.monotonic() - begun
            flow, p99 = watch.count() / elapsed, watch.quantiles_ms()["p99"]
            if p99 is None or flow < LEAST_PER_SECOND:
                sys.exit(f"{flow:.0f} packets a second were forwarded: the pictures were not among them")
            found[recording].append(p99)
            flows[recording].append(round(flow))
            if recording:
                shares.append((processor.cpu_seconds(pid) - used) / elapsed)
    ratios = [on / off for off, on in zip(found[False], found[True], strict=True)]
    return {
        "publications": PUBLISHERS,
        "bits_per_second": RATE_KBPS * 1000,
        "viewers": VIEWERS,
        "worker_before_all": before_all,
        "packets_per_second_without": flows[False],
        "packets_per_second_with": flows[True],
        "p99_ms_without": found[False],
        "p99_ms_with": found[True],
        "p99_ratio": round(statistics.median(ratios), 3),
        "goal_ratio": GOAL_RATIO,
        "recorder_share": round(statistics.median(shares), 4),
        "goal_share": GOAL_SHARE,
    }


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--before-all", action="store_true")
    given = parser.parse_args()
    machine = results.machine()
    found = measure(given.windows, given.seconds, before_all=given.before_all)
    results.write("recording_delay", {**machine, **found})
    for name, value in {**machine, **found}.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
