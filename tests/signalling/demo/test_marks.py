"""Marks survive real codecs and scaling."""

from __future__ import annotations

import io

import av
import cv2
import numpy as np
import pytest

from signalling.demo.marks import CELLS, Mark, Picture, draw, read
from signalling.demo.pictures import Endoscope


def gray(picture: Picture) -> Picture:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8)


def encoded(picture: Picture, codec: str, bit_rate: int) -> Picture:
    """The luma of a picture after one pass through a codec."""
    height, width = picture.shape[:2]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bit_rate
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as made:
        frame = list(made.decode(video=0))[-1]
    assert isinstance(frame, av.VideoFrame)
    return frame.to_ndarray(format="gray").astype(np.uint8)


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360)])
def test_a_mark_is_read_back_after_a_codec(codec: str, size: tuple[int, int]) -> None:
    mark = Mark(frame=0xABCDE, clock_ms=0xFEDC_BA98)
    picture = Endoscope(*size).draw(1.5, mark)
    assert read(encoded(picture, codec, 400_000)) == mark


@pytest.mark.parametrize("width", [1920, 1280, 640, 480])
def test_a_mark_is_read_back_after_scaling(width: int) -> None:
    mark = Mark(frame=12, clock_ms=345)
    picture = np.full((720, 1280, 3), 128, np.uint8)
    draw(picture, mark)
    scaled = cv2.resize(picture, (width, width * 9 // 16), interpolation=cv2.INTER_AREA)
    assert read(gray(scaled.astype(np.uint8))) == mark


def test_a_damaged_mark_is_no_mark() -> None:
    picture = np.full((360, 640, 3), 128, np.uint8)
    draw(picture, Mark(frame=1, clock_ms=2))
    luma = gray(picture)
    size = 640 // CELLS
    luma[-size:, 10 * size : 11 * size] = 255 - luma[-size:, 10 * size : 11 * size]
    assert read(luma) is None
    assert read(np.zeros((360, 640), np.uint8)) is None


def test_age_survives_the_wrap_of_the_clock() -> None:
    assert Mark(0, (1 << 32) - 5).age_ms((7 << 32) + 10) == 15
