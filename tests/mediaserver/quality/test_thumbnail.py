"""One small picture: its shape, its colours, its size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mediaserver.quality.look import Plane
from mediaserver.quality.thumbnail import MAX_SIDE, jpeg
from signalling.demo.marks import Picture
from tests.mediaserver.quality import material


def decoded(data: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
def test_it_looks_like_the_picture(codec: str) -> None:
    (sent,) = material.endoscope(1)
    (planes,) = material.seen([sent], codec)
    shown = decoded(jpeg(*planes))
    assert shown.shape == (144, 256, 3)
    small = cv2.resize(sent, (256, 144), interpolation=cv2.INTER_AREA)
    apart = np.abs(shown.astype(np.int16) - small.astype(np.int16)).mean(axis=(0, 1))
    assert apart.max() < 12, "of 255, in each of blue, green and red"


def test_colours_are_where_they_were() -> None:
    (planes,) = material.seen([material.bars()], "VP8")
    line = decoded(jpeg(*planes))[40]
    for number, expected in enumerate([(191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0)]):
        middle = line[number * 32 + 16].astype(int)
        assert np.abs(middle - expected).max() < 30, number


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (320, 180, (144, 256)),
        (180, 320, (256, 144)),
        (64, 48, (48, 64)),
        (65, 47, (48, 64)),
        (2, 4000, (256, 2)),
        (1, 1, (2, 2)),
    ],
)
def test_shapes(width: int, height: int, expected: tuple[int, int]) -> None:
    def plane(wide: int, high: int) -> Plane:
        return np.full((high, wide), 120, np.uint8)

    half = ((width + 1) // 2, (height + 1) // 2)
    shown = decoded(jpeg(plane(width, height), plane(*half), plane(*half)))
    assert shown.shape[:2] == expected
    assert max(shown.shape) <= MAX_SIDE


def test_even_noise_fits_a_message() -> None:
    random = np.random.default_rng(4)
    luma, first, second = (
        (random.integers(0, 2, (side, side)) * 255).astype(np.uint8) for side in (256, 128, 128)
    )
    assert len(jpeg(luma, first, second)) < 64 * 1024
