"""How long after the canary falls silent its alert is open, by the answer of the API.

``python -m benchmarks.canary [--times 3]``

A server with ``watch.canary`` and nobody else in it. The canary's process is stopped, as by a machine that
hangs, and let go again once the alert is there; the alert must be cleared before the next.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import processor, results, servers
from benchmarks.link import loopback

GOAL_SECONDS = 30.0
POLL_SECONDS = 0.1
LIMIT_SECONDS = 60.0
PROGRAM = b"signalling.canary.process"


def canary(server: int) -> int | None:
    """The canary's process, if it runs."""
    for pid in processor.tree(server):
        if PROGRAM in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


class Operator:
    """Asks the server as the operations page does."""

    def __init__(self, running: servers.Running) -> None:
        self._url = f"{running.url}/api/v1/operations"
        self._token = running.token("operator", "*")

    def _ask(self, path: str) -> Any:
        request = urllib.request.Request(
            f"{self._url}/{path}", headers={"Authorization": f"Bearer {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def alerts(self) -> list[str]:
        """Causes of those that are open."""
        return [one["cause"]["cause"] for one in self._ask("alerts?open=true")["alerts"]]

    def hears(self) -> bool:
        """The canary's pictures come back."""
        reading = self._ask("board")["canary"]
        return reading is not None and reading["delay_seconds"] is not None and reading["silent_seconds"] < 2


def until(holds: Callable[[], bool]) -> float:
    """Seconds until it does. Raises ``TimeoutError``."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > LIMIT_SECONDS:
            raise TimeoutError
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begun


def measure(times: int) -> list[float]:
    """Seconds from silence to alert, each time."""
    os.environ["LOUPE_WATCH__CANARY"] = "true"
    found = []
    with servers.ours(loopback("loopback")) as running:
        operator = Operator(running)
        for _ in range(times):
            until(lambda: operator.hears() and not operator.alerts())
            process = canary(running.pid)
            assert process is not None, "it was heard"
            os.kill(process, signal.SIGSTOP)
            try:
                found.append(until(lambda: "canary" in operator.alerts()))
            finally:
                os.kill(process, signal.SIGCONT)
            print(f"alert {found[-1]:.1f} s after the last picture", flush=True)
    return found


def main() -> None:
    """Prints and keeps the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=3)
    found = measure(parser.parse_args().times)
    results.write("canary", {"machine": results.machine(), "seconds": found, "goal_seconds": GOAL_SECONDS})


if __name__ == "__main__":
    main()
