"""The synthetic cameras give moving pictures of the right shape, each with its mark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from signalling.demo.marks import Mark, read
from signalling.demo.pictures import Endoscope, Monitor


@pytest.mark.parametrize("camera", [Endoscope(), Monitor()])
def test_pictures_move_and_are_marked(camera: Endoscope | Monitor) -> None:
    first, second = camera.draw(0.0, Mark(1, 1000)), camera.draw(0.5, Mark(2, 1500))
    assert first.shape == (camera.height, camera.width, 3)
    assert first.dtype == np.uint8
    assert read(cv2.cvtColor(second, cv2.COLOR_BGR2GRAY).astype(np.uint8)) == Mark(2, 1500)
    changed = np.mean(np.any(first != second, axis=2))
    assert changed > 0.01


def test_the_same_moment_gives_the_same_picture() -> None:
    assert np.array_equal(Endoscope().draw(3.2, Mark(5, 6)), Endoscope().draw(3.2, Mark(5, 6)))
