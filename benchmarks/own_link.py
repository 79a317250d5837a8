"""A link of somebody's own, as a scenario for ``loupe-adaptation``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

SUBSCRIBER = "viewer"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that describe it; loss, jitter and half of the round trip hold both ways."""
    link = parser.add_argument_group("a link of your own, in place of scenarios")
    capacity = link.add_mutually_exclusive_group()
    capacity.add_argument(
        "--capacity", type=Path, metavar="FILE", help="trace: .csv (t_ms,kbps), .json, or mahimahi"
    )
    capacity.add_argument("--rate-kbps", type=float, metavar="KBPS", help="constant capacity")
    link.add_argument(
        "--offset-s", type=float, default=0.0, metavar="S", help="where in the trace to begin [0]"
    )
    link.add_argument("--duration-s", type=float, default=120.0, metavar="S", help="length [120]")
    link.add_argument("--rtt-ms", type=float, default=100.0, metavar="MS", help="round trip [100]")
    queue = link.add_mutually_exclusive_group()
    queue.add_argument("--queue-ms", type=float, metavar="MS", help="drop tail at this drain time [300]")
    queue.add_argument("--queue-bytes", type=int, metavar="BYTES", help="drop tail at so many bytes")
    link.add_argument(
        "--loss", metavar="LOSS", help="iid:P or ge:P,R with probabilities, or any other word of the emulator"
    )
    link.add_argument("--jitter", metavar="JITTER", help="nrbpdv:MS, or a FILE of t_ms,extra_ms")


def is_described(arguments: argparse.Namespace) -> bool:
    """Whether the command line describes a link at all."""
    return arguments.capacity is not None or arguments.rate_kbps is not None


def scenario(arguments: argparse.Namespace) -> dict[str, Any]:
    """The scenario: one publisher, one subscriber behind the link, no goals."""
    both: dict[str, Any] = {"delay-ms": arguments.rtt_ms / 2}
    if arguments.loss is not None:
        both["loss"] = arguments.loss
    if arguments.jitter is not None:
        file = Path(arguments.jitter)
        both["jitter"] = str(file.resolve()) if file.exists() else arguments.jitter
    down = dict(both)
    if arguments.capacity is not None:
        down |= {"capacity": str(arguments.capacity.resolve()), "offset-s": arguments.offset_s}
    else:
        down["rate"] = arguments.rate_kbps
    if arguments.queue_bytes is not None:
        down["queue-bytes"] = arguments.queue_bytes
    else:
        down["queue-ms"] = 300 if arguments.queue_ms is None else arguments.queue_ms
    what = arguments.capacity.name if arguments.capacity is not None else f"{arguments.rate_kbps:g} kbit/s"
    return {
        "about": f"{what}, RTT {arguments.rtt_ms:g} ms",
        "duration_s": arguments.duration_s,
        "settle_s": min(10.0, arguments.duration_s / 4),
        "links": {"down": down, "up": both},
        "subscribers": [{"name": SUBSCRIBER, "down": ["down"], "up": ["up"]}],
    }
