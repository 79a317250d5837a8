"""Numbers drawn into a picture so that a program can read them back after any codec.

A mark is one row of square cells at the bottom of the picture: a light-dark-light-dark
lead, the frame number (24 bits), the clock (32 bits, milliseconds since the epoch modulo
2**32) and a checksum (8 bits), most significant bit first, light for one. Cells are large
and far apart in brightness, so they survive quantisation, scaling and colour conversion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAD = (1, 0, 1, 0)
FRAME_BITS = 24
CLOCK_BITS = 32
CHECK_BITS = 8
CELLS = len(LEAD) + FRAME_BITS + CLOCK_BITS + CHECK_BITS
LIGHT, DARK = 235, 16
"""BT.709 limited range: nothing that a codec would clip."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Mark:
    """What one picture says of itself."""

    frame: int
    clock_ms: int
    """Milliseconds since 1970, modulo 2**32."""

    def age_ms(self, now_ms: int) -> int:
        """Milliseconds from drawing to ``now_ms`` (since 1970)."""
        return (now_ms - self.clock_ms) % (1 << CLOCK_BITS)


def _checksum(frame: int, clock_ms: int) -> int:
    value = (frame << CLOCK_BITS) | clock_ms
    total = 0x5A
    while value:
        total = (total * 31 + (value & 0xFF)) & 0xFF
        value >>= 8
    return total


def _bits(value: int, count: int) -> list[int]:
    return [value >> shift & 1 for shift in range(count - 1, -1, -1)]


def cell_size(width: int) -> int:
    """Edge of a cell in pixels for a picture ``width`` pixels wide."""
    return max(4, width // CELLS)


def draw(picture: Picture, mark: Mark) -> None:
    """Draws a mark over the bottom rows of a picture of shape (height, width, 3)."""
    frame = mark.frame % (1 << FRAME_BITS)
    clock = mark.clock_ms % (1 << CLOCK_BITS)
    cells = [
        *LEAD,
        *_bits(frame, FRAME_BITS),
        *_bits(clock, CLOCK_BITS),
        *_bits(_checksum(frame, clock), CHECK_BITS),
    ]
    size = cell_size(picture.shape[1])
    row = np.repeat(np.where(np.array(cells) == 1, LIGHT, DARK).astype(np.uint8), size)[: picture.shape[1]]
    picture[-size:, : row.size] = row[np.newaxis, :, np.newaxis]


def read(luma: Picture) -> Mark | None:
    """The mark of a picture given as luma of shape (height,
    width), at any scale; ``None`` when there is none."""
    height, width = luma.shape
    # The drawn width of a cell is a whole number of pixels
    # of the original; a scaled copy keeps the proportion.
    for original in (width, 1920, 1280, 960, 640, 480, 320):
        size = cell_size(original) * width / original
        row = luma[min(height - 1, int(height - size / 2))]
        centres = [int((index + 0.5) * size) for index in range(CELLS)]
        if centres[-1] >= width:
            continue
        cells = [int(row[centre] > (LIGHT + DARK) // 2) for centre in centres]
        mark = _decode(cells)
        if mark is not None:
            return mark
    return None


def _decode(cells: list[int]) -> Mark | None:
    if tuple(cells[: len(LEAD)]) != LEAD:
        return None
    value = 0
    for cell in cells[len(LEAD) :]:
        value = value << 1 | cell
    check = value & 0xFF
    clock = value >> CHECK_BITS & ((1 << CLOCK_BITS) - 1)
    frame = value >> (CHECK_BITS + CLOCK_BITS)
    return Mark(frame, clock) if _checksum(frame, clock) == check else None
