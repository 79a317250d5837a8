"""A link of somebody's own, as a scenario for ``loupe-adaptation``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUBSCRIBER = "viewer"
DURATION_SECONDS, ROUND_TRIP_MS, QUEUE_MS = 120.0, 100.0, 300
"""Of a link of which nothing else is said."""
DAY_SECONDS = 86_400.0
"""No run is longer: a slip of the keyboard ends at once, not tomorrow."""
_OF_A_LINK = ("offset_s", "duration_s", "rtt_ms", "queue_ms", "queue_bytes", "loss", "jitter")


def between(least: float, most: float) -> Callable[[str], float]:
    """A number of the command line within these bounds; without them ``nan`` and a year would run, too."""

    def number(text: str) -> float:
        value = float(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return value

    return number


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that describe it; loss, jitter and half of the round trip hold both ways."""
    link = parser.add_argument_group("a link of your own, in place of scenarios")
    capacity = link.add_mutually_exclusive_group()
    capacity.add_argument(
        "--capacity",
        type=Path,
        metavar="FILE",
        help="trace: .csv (t_ms,kbps; its last rate stays), .json (durations and capacities) or mahimahi, "
        "which begin again",
    )
    capacity.add_argument(
        "--rate-kbps", type=between(0, 1e7), metavar="KBPS", help="constant capacity, in place of a trace"
    )
    link.add_argument("--offset-s", type=between(0, 1e6), metavar="S", help="where in the trace to begin [0]")
    link.add_argument(
        "--duration-s", type=between(1, DAY_SECONDS), metavar="S", help=f"length [{DURATION_SECONDS:g}]"
    )
    link.add_argument(
        "--rtt-ms", type=between(0, 10_000), metavar="MS", help=f"round trip [{ROUND_TRIP_MS:g}]"
    )
    queue = link.add_mutually_exclusive_group()
    queue.add_argument(
        "--queue-ms", type=between(0, 60_000), metavar="MS", help=f"drop tail at this drain time [{QUEUE_MS}]"
    )
    queue.add_argument("--queue-bytes", type=int, metavar="BYTES", help="drop tail at so many bytes")
    link.add_argument(
        "--loss", metavar="LOSS", help="iid:P or ge:P,R with probabilities, or any other word of the emulator"
    )
    link.add_argument("--jitter", metavar="JITTER", help="nrbpdv:MS, or a FILE of t_ms,extra_ms")


def is_described(arguments: argparse.Namespace) -> bool:
    """Whether the command line describes a link at all."""
    return arguments.capacity is not None or arguments.rate_kbps is not None


def problem(arguments: argparse.Namespace) -> str | None:
    """What would be passed over or left out in silence; ``None``: nothing."""
    if not is_described(arguments):
        idle = [f"--{name.replace('_', '-')}" for name in _OF_A_LINK if getattr(arguments, name) is not None]
        return f"{', '.join(idle)} without --capacity or --rate-kbps" if idle else None
    if arguments.capacity is None:
        return None if arguments.offset_s is None else "--offset-s without --capacity"
    return None if arguments.capacity.is_file() else f"no file {arguments.capacity}"


def scenario(arguments: argparse.Namespace) -> dict[str, Any]:
    """The scenario: one publisher, one subscriber behind the link, no goals."""
    duration = DURATION_SECONDS if arguments.duration_s is None else arguments.duration_s
    round_trip = ROUND_TRIP_MS if arguments.rtt_ms is None else arguments.rtt_ms
    both: dict[str, Any] = {"delay-ms": round_trip / 2}
    if arguments.loss is not None:
        both["loss"] = arguments.loss
    if arguments.jitter is not None:
        file = Path(arguments.jitter)
        both["jitter"] = str(file.resolve()) if file.exists() else arguments.jitter
    down = dict(both)
    if arguments.capacity is not None:
        down |= {"capacity": str(arguments.capacity.resolve()), "offset-s": arguments.offset_s or 0.0}
    else:
        down["rate"] = arguments.rate_kbps
    if arguments.queue_bytes is not None:
        down["queue-bytes"] = arguments.queue_bytes
    else:
        down["queue-ms"] = QUEUE_MS if arguments.queue_ms is None else arguments.queue_ms
    what = arguments.capacity.name if arguments.capacity is not None else f"{arguments.rate_kbps:g} kbit/s"
    return {
        "about": f"{what}, RTT {round_trip:g} ms",
        "duration_s": duration,
        "settle_s": min(10.0, duration / 4),
        "links": {"down": down, "up": both},
        "subscribers": [{"name": SUBSCRIBER, "down": ["down"], "up": ["up"]}],
    }
