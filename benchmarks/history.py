"""What watching costs: the control plane's processor time with many participants, and that of a scrape.

The load client publishes one small picture and watches it many times over; every viewer is a participant with
a leg and two views that are sampled once a second, judged and written. Counted are the threads of the
server's process other than media workers: sampling, history, layer choice and whatever Python does
meanwhile. A second server with the same viewers does not watch them (``benchmarks/unwatched.py``): the
difference is what sampling, judging and the history cost.

    python -m benchmarks.history --viewers 500 1000
    python -m benchmarks.history --viewers 500 --silent
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import load, processor, results, servers
from benchmarks.link import loopback

SCRAPES = 40
SCRAPE_EVERY_SECONDS = 15.0
OPTIONS = ("--rate-kbps", "40", "--fps", "5", "--join-rate", "40")
"""Little media: what is measured is the watching, and the machine has two cores for both sides."""
SILENT = ("--viewing", "silent")
"""Viewers throw all media away and report nothing: the server finds them silent and sends next to nothing."""
UNWATCHED = (sys.executable, "-m", "benchmarks.unwatched")


def python_seconds(pid: int) -> float:
    """Processor seconds of all threads that are not media workers."""
    parts = processor.by_thread(pid)
    return parts["main"] + parts["threads"]


@dataclass
class Watch:
    """Reads the threads' time while nothing else happens, then over a number of scrapes."""

    server: servers.Running
    half_seconds: float
    share: float = 0.0
    scrape_seconds: float = 0.0
    page_bytes: int = 0
    _thread: threading.Thread = field(default_factory=threading.Thread)

    def note(self, event: str) -> None:
        """The load client's window begins or ends."""
        if event == "start":
            self._thread = threading.Thread(target=self._measure)
            self._thread.start()
        else:
            self._thread.join()

    def _measure(self) -> None:
        begun, before = time.monotonic(), python_seconds(self.server.pid)
        time.sleep(self.half_seconds)
        spent = python_seconds(self.server.pid) - before
        self.share = spent / (time.monotonic() - begun)
        begun, before = time.monotonic(), python_seconds(self.server.pid)
        for _ in range(SCRAPES):
            with urllib.request.urlopen(f"{self.server.url}/metrics", timeout=10) as page:
                self.page_bytes = len(page.read())
        took = time.monotonic() - begun
        spent = python_seconds(self.server.pid) - before - self.share * took
        self.scrape_seconds = max(0.0, spent) / SCRAPES


def measure(viewers: int, seconds: float, silent: bool) -> dict[str, float | int]:
    """A server with so many viewers, and one that does not watch them."""
    row = _watched(viewers, seconds, silent, None)
    unwatched = _watched(viewers, seconds, silent, UNWATCHED)
    return row | {
        "unwatched_share": unwatched["python_share"],
        "watching_share": round(row["python_share"] - unwatched["python_share"], 4),
    }


def _watched(
    viewers: int, seconds: float, silent: bool, program: Sequence[str] | None
) -> dict[str, float | int]:
    place = loopback("loopback")
    with servers.ours(place, program=program) as running:
        watch = Watch(running, seconds / 2)
        options = (*OPTIONS, *(SILENT if silent else ()))
        window = load.run(place, running, viewers, "--duration", str(seconds), *options, at_window=watch.note)
        if window.report["viewers"]["with_media"] < viewers or not watch.page_bytes:
            sys.exit(f"no figure for {viewers} viewers: not all got media, or the page was not read")
        assert running.data is not None
        size = sum(part.stat().st_size for part in running.data.glob("history.db*"))
        return {
            "participants": viewers + 1,
            "silent": silent,
            "with_media": window.report["viewers"]["with_media"],
            "client_share": round(window.report["window"]["cpu_share"], 4),
            "python_share": round(watch.share, 4),
            "scrape_ms": round(watch.scrape_seconds * 1000, 3),
            "scrape_share": round(watch.scrape_seconds / SCRAPE_EVERY_SECONDS, 6),
            "page_bytes": watch.page_bytes,
            "history_bytes": size,
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, nargs="+", default=[500, 1000])
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each window [20]")
    parser.add_argument("--silent", action="store_true", help="viewers that report nothing")
    arguments = parser.parse_args()
    rows = []
    for viewers in arguments.viewers:
        row = measure(viewers, arguments.seconds, arguments.silent)
        rows.append(row)
        print(
            f"{row['participants']} participants: {row['python_share']:.1%} of a core for all of Python, "
            f"{row['unwatched_share']:.1%} without watching: {row['watching_share']:.1%} for sampling, "
            f"causes and history; a scrape {row['scrape_ms']} ms, every 15 s {row['scrape_share']:.3%} "
            f"of a core; history {row['history_bytes']} bytes",
            flush=True,
        )
    results.write("history", {"machine": results.machine(), "rows": rows})


if __name__ == "__main__":
    main()
