"""How long a packet stays in the server at half of one processor's load.

    sudo .venv/bin/python benchmarks/latency.py

A first run with 100 viewers shows what a viewer costs; from that follows the number of viewers that makes
half a processor busy. The clients must bear it too: where they cannot, the number is cut and the load that
was reached is said. Time in the server is the server's own histogram, from the socket's arrival time to the
send (the aim: p50 at most 0.2 ms, p99 at most 2 ms); the client's one-way delay beside it holds both
kernels as well.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import histogram, load, results, servers
from benchmarks.forwarding import DELAY
from benchmarks.link import prepare

TRIAL_VIEWERS = 100
CLIENT_LIMIT = 0.8
"""Part of its processor that the client may use; above, it is late itself."""


def viewers_for(share: float, trial: load.Window) -> int:
    """The number of viewers that brings the server to ``share`` of a processor, as far as the client can."""
    wanted = trial.viewers * share / trial.server_share
    bearable = trial.viewers * CLIENT_LIMIT / max(trial.report["window"]["cpu_share"], 1e-9)
    return max(1, int(min(wanted, bearable)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--share", type=float, default=0.5, help="part of one processor [0.5]")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the window [20]")
    arguments = parser.parse_args()
    place = prepare()
    print(place.note)
    with servers.ours(place) as running:
        trial = load.run(place, running, TRIAL_VIEWERS, "--duration", "5", "--profile", "gcm")
    viewers = viewers_for(arguments.share, trial)
    with servers.ours(place) as running:
        watch = histogram.Watch(place, running, DELAY)
        options = ("--duration", str(arguments.seconds), "--profile", "gcm")
        window = load.run(place, running, viewers, *options, at_window=watch.note)
    found: dict[str, Any] = {
        "place": place.note,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": results.machine(),
        "asked_share": arguments.share,
        "forward_delay_ms": watch.quantiles_ms(),
    } | window.row()
    results.write("latency", found)
    print(results.latency_table(found))


if __name__ == "__main__":
    main()
