"""Cells lie side by side, cards cannot be mistaken for pictures, and Vietnamese is written right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mediaserver.review.export.grid import clock, compose, draw_card, layout, write
from mediaserver.review.export.pictures import Missing

LETTERS = "AÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬĐEÈÉẺẼẸÊỀẾỂỄỆIÌÍỈĨỊOÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢUÙÚỦŨỤƯỪỨỬỮỰYỲÝỶỸỴ"


@pytest.mark.parametrize("cameras", range(1, 10))
def test_cells_are_equal_and_do_not_overlap(cameras: int) -> None:
    cells = layout(cameras, 1280, 720)
    assert len(cells) == cameras
    covered = np.zeros((720, 1280), int)
    for cell in cells:
        covered[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width] += 1
        assert (cell.width, cell.height) == (cells[0].width, cells[0].height)
    assert covered.max() == 1


def test_a_picture_keeps_its_proportions() -> None:
    tall = np.full((400, 100, 3), 255, np.uint8)
    canvas = compose([tall], ["x"], 640, 400, "vi")
    lit = np.argwhere(canvas[200, :, 0] > 200)
    assert (int(lit.min()), int(lit.max())) == (270, 369)


def test_one_camera_has_no_words_on_it() -> None:
    picture = np.full((240, 320, 3), 77, np.uint8)
    assert (compose([picture], ["Nội soi"], 320, 240, "vi") == picture).all()
    assert not (compose([picture, picture], ["a", "b"], 640, 240, "vi")[:30] == 77).all()


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(
    "reason", ["lost", "muted", "paused", "reconnect", "no_keyframe", "not_recorded", "unheard_of"]
)
def test_a_card_says_why(language: str, reason: str) -> None:
    area = np.zeros((240, 320, 3), np.uint8)
    draw_card(area, Missing(reason, 61, 3700), "Toàn cảnh phòng mổ số 3", language)
    assert np.unique(area.reshape(-1, 3), axis=0).shape[0] > 10, "edge and words"


def test_every_vietnamese_letter_is_drawn_as_itself() -> None:
    drawn = {}
    for letter in LETTERS:
        area = np.zeros((120, 120, 3), np.uint8)
        write(area, letter.lower(), 20, 90, 60)
        drawn[letter] = area.tobytes()
    same = [(a, b) for a, b in itertools.combinations(drawn, 2) if drawn[a] == drawn[b]]
    assert same == []


def test_clocks() -> None:
    assert [clock(seconds) for seconds in (-1, 59.9, 3723)] == ["0:00:00", "0:00:59", "1:02:03"]
