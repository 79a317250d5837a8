"""What freezes and is concealed on a link with a sender that asks the least of it and is never wrong.

    python -m benchmarks.least ../shared/traces/mahimahi/TMobile-UMTS-driving.down --offset-s 300

The sender stands at the head of the link, sees each moment at which it carries something, and sends nothing
but sound and the lowest temporal layer of the lowest encoding, oldest first, without any queue. Every picture
can be decoded alone. A picture is shown 0.4 s after it could be at the earliest, sound is played 0.2 s after:
the receivers of ``loupe-adaptation`` wait no longer. What would come later than that is dropped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

OPPORTUNITY_BYTES = 1_500
"""What a line of mahimahi's traces lets pass; what is not used of it is lost."""
SETTLE_SECONDS = 10.0
"""Left out, as in the scenarios."""
AVERAGED, LEAST_FRAMES, BEYOND_SECONDS, PAUSE_SECONDS = 30, 5, 0.15, 5.0
"""A freeze, as ``dataplane/adaptation/src/metrics/picture.rs`` has it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Something of one size at equal intervals, of use for so long."""

    interval: float
    size: int
    lasts: float


PICTURES = Source(0.08, 972, 0.4)
"""Six tenths of 150 kbit/s, 12.5 a second, 72 bytes around each (``ladder.rs`` of ``loupe-adaptation``)."""
SOUND = Source(0.02, 132, 0.2)


def opportunities(trace: Iterable[str], offset: float, duration: float) -> Iterator[float]:
    """Seconds from ``offset`` on at which the link carries something; the trace begins anew where it ends."""
    stamps = [int(line) / 1e3 for line in trace if line.strip()]
    period, turn = stamps[-1], 0.0
    while turn < offset + duration:
        yield from (turn + t - offset for t in stamps if offset <= turn + t < offset + duration)
        turn += period


def carried(moments: Iterable[float], duration: float) -> tuple[list[float], list[float]]:
    """When the pictures, and when the sounds, were made that came in time."""
    waiting = [Line(source, duration) for source in (SOUND, PICTURES)]
    for now in moments:
        left = OPPORTUNITY_BYTES
        for line in waiting:
            left = line.take(now, left)
    return waiting[1].came, waiting[0].came


class Line:
    """What of one source has come, and what of the next was carried."""

    def __init__(self, source: Source, duration: float) -> None:
        self.source, self.duration = source, duration
        self.came: list[float] = []
        self._number, self._done = 0, 0

    def take(self, now: float, left: int) -> int:
        """Uses what it can of so many bytes, and gives the rest."""
        while left > 0:
            made = self._number * self.source.interval
            if made > now or made >= self.duration:
                break
            if now - made > self.source.lasts:
                self._number, self._done = self._number + 1, 0
                continue
            used = min(left, self.source.size - self._done)
            left, self._done = left - used, self._done + used
            if self._done == self.source.size:
                self.came.append(made)
                self._number, self._done = self._number + 1, 0
        return left


def frozen(pictures: list[float], duration: float) -> float:
    """Seconds after :data:`SETTLE_SECONDS` in which pictures stood, pauses left out."""
    stood = [later - earlier for earlier, later in pairwise([*pictures, duration])]
    seconds = 0.0
    for number, (made, length) in enumerate(zip(pictures, stood, strict=True)):
        before = stood[max(0, number - AVERAGED) : number]
        if len(before) < LEAST_FRAMES or length > PAUSE_SECONDS:
            continue
        average = sum(before) / len(before)
        if length >= max(3 * average, average + BEYOND_SECONDS):
            seconds += max(0.0, made + length - max(made, SETTLE_SECONDS))
    return seconds


def main() -> None:
    """Prints both in percent."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trace", type=Path, help="of mahimahi")
    parser.add_argument("--offset-s", type=float, default=0.0)
    parser.add_argument("--duration-s", type=float, default=120.0)
    arguments = parser.parse_args()
    duration = arguments.duration_s
    with arguments.trace.open(encoding="ascii") as trace:
        pictures, sounds = carried(opportunities(trace, arguments.offset_s, duration), duration)
    measured = duration - SETTLE_SECONDS
    heard = sum(made >= SETTLE_SECONDS for made in sounds)
    print(f"frozen {100 * frozen(pictures, duration) / measured:.1f} %")
    print(f"concealed {100 * (1 - heard * SOUND.interval / measured):.1f} %")


if __name__ == "__main__":
    main()
