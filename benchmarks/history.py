"""What watching costs: the control plane's processor time with many participants, and that of a scrape.

The load client publishes one small picture and watches it many times over; every viewer is a participant with
a leg and a view that is sampled once a second, judged and written. Counted are the threads of the server's
process other than media workers: sampling, history and everything else that Python does meanwhile.

    python -m benchmarks.history --viewers 500 1000
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field

from benchmarks import load, processor, results, servers
from benchmarks.link import loopback

SCRAPES = 40
SCRAPE_EVERY_SECONDS = 15.0
OPTIONS = ("--rate-kbps", "40", "--fps", "5", "--drain", "--join-rate", "40")
"""Little media: what is measured is the watching, and the machine has two cores for both sides."""


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


def measure(viewers: int, seconds: float) -> dict[str, float | int]:
    """One server with so many viewers."""
    with servers.ours(loopback("loopback")) as running:
        watch = Watch(running, seconds / 2)
        window = load.run(
            loopback("loopback"), running, viewers, "--duration", str(seconds), *OPTIONS, at_window=watch.note
        )
        if window.report["viewers"]["with_media"] < viewers or not watch.page_bytes:
            sys.exit(f"no figure for {viewers} viewers: not all got media, or the page was not read")
        assert running.data is not None
        size = sum(part.stat().st_size for part in running.data.glob("history.db*"))
        return {
            "participants": viewers + 1,
            "with_media": window.report["viewers"]["with_media"],
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
    arguments = parser.parse_args()
    rows = []
    for viewers in arguments.viewers:
        row = measure(viewers, arguments.seconds)
        rows.append(row)
        print(
            f"{row['participants']} participants: {row['python_share']:.1%} of a core for watching; a scrape "
            f"{row['scrape_ms']} ms, every 15 s {row['scrape_share']:.3%} of a core; "
            f"history {row['history_bytes']} bytes",
            flush=True,
        )
    results.write("history", {"machine": results.machine(), "rows": rows})


if __name__ == "__main__":
    main()
