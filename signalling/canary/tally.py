"""What came back of the canary's pictures in the last seconds. Pure: times are arguments."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from signalling.loopback import Seen

WINDOW_SECONDS = 10.0


class Told(Struct, frozen=True):
    """One line of the canary's process; None where nothing came back."""

    delay_seconds: float | None
    loss_ratio: float | None
    silent_seconds: float


class Tally:
    """``now`` in seconds of a steady clock."""

    def __init__(self, now: float) -> None:
        self._last = now
        self._seen: deque[tuple[float, Seen]] = deque()

    def saw(self, seen: Seen, now: float) -> None:
        """A picture came back."""
        self._last = now
        self._seen.append((now, seen))

    def told(self, now: float) -> Told:
        """Delay as the median, loss of what was drawn between the window's first and last picture."""
        while self._seen and now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()
        silent = now - self._last
        if not self._seen:
            return Told(None, None, silent)
        frames = {seen.frame for _, seen in self._seen}
        expected = max(frames) - min(frames) + 1
        delay = median(seen.delay_seconds for _, seen in self._seen)
        return Told(delay, 1 - len(frames) / expected, silent)
