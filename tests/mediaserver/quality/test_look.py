"""What is measured separates what is wrong from what is right, on real film and after real encoders."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mediaserver.quality import judge
from mediaserver.quality.look import Look, difference, look
from tests.mediaserver.quality import material

CODECS = ["VP8", "H264"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_film_of_an_operation_is_nothing_wrong(codec: str) -> None:
    for seen in material.looks(material.film(), codec):
        assert seen.brightest > 2 * judge.BLACK_LUMA
        assert seen.light_share < judge.LIGHT_SHARE / 10
        assert seen.green_share < judge.GREEN_SHARE / 10
        assert seen.bars == 0
        assert seen.sharpness > 5 * (judge.MANNERS["endoscope"].blur or 0)


@pytest.mark.parametrize("codec", CODECS)
def test_tissue_moves_and_a_still_does_not(codec: str) -> None:
    limit = judge.MANNERS["endoscope"].still_difference
    moving = material.looks(material.film(), codec)
    still = material.looks([material.film()[0]] * 3, codec)
    assert min(difference(a.thumbnail, b.thumbnail) for a, b in itertools.pairwise(moving)) > 3 * limit
    assert max(difference(a.thumbnail, b.thumbnail) for a, b in itertools.pairwise(still)) < limit


def test_sharpness_falls_with_focus() -> None:
    picture = material.film()[0]
    found = [
        seen.sharpness
        for seen in material.looks([picture, *(material.blurred(picture, kernel) for kernel in (9, 25, 41))])
    ]
    assert found == sorted(found, reverse=True)
    assert found[2] < 0.02 < found[1]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("count", "part", "found"), [(7, 0.67, 7), (8, 1.0, 8), (3, 1.0, 0)])
def test_bars_are_counted(codec: str, count: int, part: float, found: int) -> None:
    assert material.looks([material.bars(count, part)], codec)[0].bars == found


def test_a_picture_of_nothing_has_no_sharpness() -> None:
    flat = np.full((180, 320), 100, np.uint8)
    chroma = np.full((90, 160), 128, np.uint8)
    seen: Look = look(flat, chroma, chroma)
    assert (seen.sharpness, seen.bars) == (0.0, 0)


@pytest.mark.parametrize("height", [90, 180, 720])
def test_any_size_is_taken(height: int) -> None:
    width = height * 16 // 9
    noise = np.random.default_rng(1)
    luma = noise.integers(16, 235, (height, width), np.uint8)
    chroma = noise.integers(100, 150, (height // 2, width // 2), np.uint8)
    assert look(luma, chroma, chroma).thumbnail.shape == (36, 64)
