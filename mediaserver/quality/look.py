"""What one decoded picture looks like, in a few numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]

THUMBNAIL = (64, 36)
"""For comparing two pictures: small enough that the noise of encoding averages out."""
ANALYSED_HEIGHT = 180
"""Larger pictures are brought down to this first, so that sharpness means the same for all."""
DARK_LUMA, LIGHT_LUMA = 32, 232
"""BT.709 limited range is 16 to 235."""
GREEN_CHROMA = 92
"""Both chroma samples below this: the green of zeroed buffers (88 and 78 by way of RGB), and of no drape."""
BAR_SPREAD = 4.0
"""A bar of a test pattern has one colour from top to bottom, but for what an encoder adds."""
BAR_STEP = 14.0
"""Neighbouring bars differ by at least this, in luma and chroma together."""
BARS = (6, 9)
"""EBU and SMPTE patterns have seven or eight."""


@dataclass(frozen=True, slots=True)
class Look:
    """Shares are of all pixels, 0..1."""

    brightest: float
    """Luma that all but a hundredth of the pixels stay below: small lights in a dark picture do not count."""
    light_share: float
    """At the upper end of the range: nothing can be told apart there."""
    green_share: float
    sharpness: float
    """Energy of second differences against that of brightness: falls as the picture blurs."""
    bars: int
    """Vertical bars of one colour each that fill the picture; 0 for anything else."""
    thumbnail: Plane


def look(luma: Plane, first_chroma: Plane, second_chroma: Plane) -> Look:
    """Of the three planes of a picture (YUV 4:2:0, limited range), each of shape (height, width)."""
    small = _reduced(luma)
    thumbnail = cv2.resize(small, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    green = (first_chroma < GREEN_CHROMA) & (second_chroma < GREEN_CHROMA)
    return Look(
        brightest=float(np.percentile(small, 99)),
        light_share=float((small >= LIGHT_LUMA).mean()),
        green_share=float(green.mean()),
        sharpness=_sharpness(small),
        bars=_bars(luma, first_chroma, second_chroma),
        thumbnail=thumbnail,
    )


def difference(one: Plane, other: Plane) -> float:
    """Mean absolute difference of two thumbnails, in steps of luma."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def _reduced(luma: Plane) -> Plane:
    height, width = luma.shape
    if height <= ANALYSED_HEIGHT:
        return luma
    size = (max(1, width * ANALYSED_HEIGHT // height), ANALYSED_HEIGHT)
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _sharpness(luma: Plane) -> float:
    spread = float(luma.var())
    if spread < 1.0:
        return 0.0
    return float(cv2.Laplacian(luma, cv2.CV_32F).var()) / spread


def _bars(luma: Plane, first: Plane, second: Plane) -> int:
    columns = []
    for plane in (luma, first, second):
        small = cv2.resize(plane, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        # Of all patterns with bars the upper half is nothing but bars.
        upper = small[2 : THUMBNAIL[1] // 2]
        if float(np.percentile(upper.std(axis=0), 80)) > BAR_SPREAD:
            return 0
        columns.append(upper.mean(axis=0))
    steps = np.abs(np.diff(np.stack(columns), axis=1)).sum(axis=0)
    edges = np.flatnonzero(steps > BAR_STEP)
    # A soft edge covers two or three columns and is one edge.
    apart = 1 + int((np.diff(edges) > 3).sum()) if edges.size else 0
    count = apart + 1
    return count if BARS[0] <= count <= BARS[1] else 0
