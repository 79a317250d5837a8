"""From looks at one source to what operators are told of it. Pure: times are arguments.

What is seen once is a glance; what is seen in two looks is told. A picture that stands still is told only
after it stood longer than its type of source does by nature: an ultrasound in freeze and a monitor are
rightly still, so the word is "unchanged", not "fault" (05-clinical 2.6).
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.events import SourceType
from mediaserver.operations.model import PictureVerdict
from mediaserver.quality.look import Look, Plane, difference

BLACK_LUMA = 40.0
"""Of the brightest hundredth. Measured: black 16, sensor noise in the dark 21, a lit abdomen 205."""
GREEN_SHARE = 0.2
LIGHT_SHARE = 0.3
"""Measured on laparoscopy: as filmed 0.003, lit threefold 0.25, fivefold 0.47."""
LOOKS = 2
UNREADABLE = 2
"""Key frames in a row that no decoder took."""


@dataclass(frozen=True, slots=True)
class Manner:
    """What is usual for a type of source. ``None`` is never judged."""

    still_seconds: float
    still_difference: float
    """Key frames of a still picture differ by up to 1.1 (the quantiser moves), of tissue by 9 and more."""
    blur: float | None
    """Sharpness below this at 180 lines. On laparoscopy: in focus 0.18 to 0.27, blurred by a Gaussian of 25
    pixels at 720 lines 0.01."""
    lit: bool = True
    """Is lit by a lamp and so can be over-exposed; screens may be white."""


MANNERS: dict[SourceType, Manner] = {
    "endoscope": Manner(15, 2.0, 0.02),
    "overhead": Manner(45, 2.0, 0.02),
    "room": Manner(180, 1.5, 0.02),
    "ultrasound": Manner(120, 0.6, None, lit=False),
    "monitor": Manner(60, 0.6, 0.3, lit=False),
    "other": Manner(180, 0.6, None, lit=False),
    "microphone": Manner(float("inf"), 0.0, None, lit=False),
}


class Judge:
    """One source. Looks come at any pace, oldest first."""

    def __init__(self, source_type: SourceType) -> None:
        self._manner = MANNERS[source_type]
        self._seen: PictureVerdict | None = None
        self._times = 0
        self._unreadable = 0
        self._still: tuple[float, Plane] | None = None
        """Since when, and how it looked then."""
        self.verdict: PictureVerdict | None = None
        """What is to be told now; None: all is well, or nothing is known."""

    def look(self, at_seconds: float, look: Look) -> PictureVerdict | None:
        """One more picture; the verdict after it."""
        self._unreadable = 0
        return self._conclude(self._wrong(look), self._stands(at_seconds, look))

    def unreadable(self) -> PictureVerdict | None:
        """A key frame that could not be decoded."""
        self._unreadable += 1
        if self._unreadable >= UNREADABLE:
            self._seen, self._times, self.verdict = "corrupt", LOOKS, "corrupt"
        return self.verdict

    def _conclude(self, wrong: PictureVerdict | None, stands: bool) -> PictureVerdict | None:
        self._times = self._times + 1 if wrong == self._seen else 1
        self._seen = wrong
        if self._times >= LOOKS or wrong == self.verdict:
            self.verdict = wrong
        # Stillness has waited long enough already; what is wrong with the picture says more.
        if stands and self.verdict in (None, "unchanged"):
            self.verdict = "unchanged"
        elif self.verdict == "unchanged":
            self.verdict = None
        return self.verdict

    def _wrong(self, look: Look) -> PictureVerdict | None:
        manner = self._manner
        if look.green_share > GREEN_SHARE:
            return "corrupt"
        if look.brightest < BLACK_LUMA:
            return "black"
        if look.bars:
            return "test_pattern"
        if manner.lit and look.light_share > LIGHT_SHARE:
            return "over_exposed"
        if manner.blur is not None and look.sharpness < manner.blur:
            return "blurred"
        return None

    def _stands(self, at_seconds: float, look: Look) -> bool:
        still = self._still
        if still is None or difference(still[1], look.thumbnail) > self._manner.still_difference:
            self._still = (at_seconds, look.thumbnail)
            return False
        return at_seconds - still[0] >= self._manner.still_seconds
