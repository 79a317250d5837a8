"""One camera, or several side by side, as one picture; where a picture is missing, a card says so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mediaserver.review.export.pictures import Missing, Picture

_GROUND = (24, 20, 16)
_CARD = (58, 44, 36)
_TEXT = (240, 240, 240)
_EDGE = (90, 160, 245)
_FONT = cv2.FontFace("sans")

_WORDS = {
    "vi": {
        "missing": "KHÔNG CÓ HÌNH",
        "not_recorded": "Nguồn này không được ghi",
        "lost": "Mất gói trên đường truyền",
        "muted": "Nguồn đang tạm dừng",
        "no_keyframe": "Chưa có hình đầy đủ",
        "paused": "Nguồn không gửi hình",
        "reconnect": "Nguồn đang nối lại",
        "span": "từ {start} đến {end}",
    },
    "en": {
        "missing": "NO PICTURE",
        "not_recorded": "This source was not recorded",
        "lost": "Packets were lost on the way",
        "muted": "The source was paused",
        "no_keyframe": "No whole picture had come yet",
        "paused": "The source sent no picture",
        "reconnect": "The source was reconnecting",
        "span": "from {start} to {end}",
    },
}


def clock(seconds: float) -> str:
    """``h:mm:ss`` on the recording's axis."""
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A camera's place in the composed picture, in pixels."""

    x: int
    y: int
    width: int
    height: int


def layout(cameras: int, width: int, height: int) -> list[Cell]:
    """A grid as near to square as the number allows, cells of one even size."""
    columns = math.ceil(math.sqrt(cameras))
    rows = math.ceil(cameras / columns)
    cell_width, cell_height = width // columns // 2 * 2, height // rows // 2 * 2
    return [
        Cell(index % columns * cell_width, index // columns * cell_height, cell_width, cell_height)
        for index in range(cameras)
    ]


def compose(
    shown: list[Picture | Missing], labels: list[str], width: int, height: int, language: str
) -> Picture:
    """All cameras in one picture of this size. Labels stand in the cells only where there are several."""
    canvas = np.full((height, width, 3), _GROUND, np.uint8)
    for cell, picture, label in zip(layout(len(shown), width, height), shown, labels, strict=True):
        area = canvas[cell.y : cell.y + cell.height, cell.x : cell.x + cell.width]
        if isinstance(picture, Missing):
            draw_card(area, picture, label, language)
            continue
        _fit(area, picture)
        if len(shown) > 1:
            _caption(area, label)
    return canvas


def _fit(area: Picture, picture: Picture) -> None:
    """Scaled with its proportions kept, in the middle."""
    height, width = area.shape[:2]
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(2, round(picture.shape[1] * scale)), max(2, round(picture.shape[0] * scale)))
    if size != (picture.shape[1], picture.shape[0]):
        picture = _resized(picture, size, shrinks=scale < 1)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    area[top : top + size[1], left : left + size[0]] = picture


def _resized(picture: Picture, size: tuple[int, int], *, shrinks: bool) -> Picture:
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def write(area: Picture, text: str, x: int, y: int, size: int, weight: int = 500) -> int:
    """Text in capitals from a base line on; gives the x behind it.

    In capitals because the small letters o with horn and grave or tilde are drawn wrong by the font that
    OpenCV carries, and Vietnamese cannot do without them.
    """
    end, _ = cv2.putText(area, text.upper(), (x, y), _TEXT, _FONT, size, weight)
    return int(end[0]) if isinstance(end, tuple) else x


def _width(text: str, size: int, weight: int) -> int:
    found = cv2.getTextSize((0, 0), text.upper(), (0, 0), _FONT, size, weight)
    return int(found[2])


def _caption(area: Picture, label: str) -> None:
    size = max(12, area.shape[0] // 22)
    strip = area[: size * 3 // 2]
    strip[:] = strip // 3
    write(area, label, size // 2, size + size // 8, size)


def draw_card(area: Picture, gap: Missing, label: str, language: str) -> None:
    """Fills an area with a card that cannot be taken for a picture of the operation."""
    words = _WORDS[language]
    area[:] = _CARD
    height, width = area.shape[:2]
    cv2.rectangle(area, (4, 4), (width - 5, height - 5), _EDGE, max(2, height // 120))
    span = words["span"].format(start=clock(gap.start_seconds), end=clock(gap.end_seconds))
    lines = [words["missing"], label, words.get(gap.reason, gap.reason.replace("_", " ")), span]
    size = max(12, height // 12)
    top = height // 2 - size * 2
    for index, line in enumerate(lines):
        weight = 700 if index == 0 else 450
        fitted = size if index == 0 else size * 2 // 3
        while fitted > 8 and _width(line, fitted, weight) > width - 24:
            fitted -= 1
        write(
            area, line, (width - _width(line, fitted, weight)) // 2, top + (index + 1) * size, fitted, weight
        )
