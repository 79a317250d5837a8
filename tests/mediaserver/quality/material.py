"""Pictures as the probe gets them: by real encoders, at the lowest layer's size and rate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
import pytest

from mediaserver.quality.look import Look, Plane, look
from mediaserver.quality.pictures import planes
from signalling.demo.marks import Mark, Picture
from signalling.demo.pictures import Endoscope, Monitor

SHARED = Path(os.environ.get("LOUPE_SHARED", Path(__file__).parents[4] / "shared"))
SIZE = (320, 180)
BITS_PER_SECOND = 150_000
ENCODERS = {"VP8": ("libvpx", "vp8"), "H264": ("libx264", "h264")}


def film(count: int = 5, every: int = 50) -> list[Picture]:
    """Laparoscopy, two seconds apart; skips the test where it is not there."""
    path = SHARED / "media" / "laparoscopy.mp4"
    if not path.exists():
        pytest.skip("no film: ../shared/media/laparoscopy.mp4")
    return _film(path, count, every)


@lru_cache
def _film(path: Path, count: int, every: int) -> list[Picture]:
    found: list[Picture] = []
    with av.open(path) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % every == 0:
                found.append(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
            if len(found) == count:
                break
    return found


def endoscope(count: int = 5) -> list[Picture]:
    """The demo's, two seconds apart."""
    scope = Endoscope()
    return [scope.draw(2.0 * number, Mark(number, number)) for number in range(count)]


def monitor(count: int = 5) -> list[Picture]:
    """The demo's, two seconds apart."""
    screen = Monitor()
    return [screen.draw(2.0 * number, Mark(number, number)) for number in range(count)]


def encoded(pictures: Sequence[Picture], codec: str) -> list[bytes]:
    """Each as a key frame of an encoder that works for a live layer of 150 kbit/s."""
    found = []
    for number, picture in enumerate(pictures):
        encoder = cast("av.VideoCodecContext", av.CodecContext.create(ENCODERS[codec][0], "w"))
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt, encoder.bit_rate = "yuv420p", BITS_PER_SECOND
        encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
        live = {"deadline": "realtime", "cpu-used": "8"}
        encoder.options = live if codec == "VP8" else {"preset": "ultrafast", "tune": "zerolatency"}
        small = np.asarray(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        frame = av.VideoFrame.from_ndarray(small, format="bgr24").reformat(format="yuv420p")
        frame.pts = number
        found.append(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    return found


def seen(pictures: Sequence[Picture], codec: str = "VP8") -> list[tuple[Plane, Plane, Plane]]:
    """What a decoder makes of them."""
    found = []
    for data in encoded(pictures, codec):
        decoder = cast("av.VideoCodecContext", av.CodecContext.create(ENCODERS[codec][1], "r"))
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
        found.append(planes(frames[0]))
    return found


def looks(pictures: Sequence[Picture], codec: str = "VP8") -> list[Look]:
    """What the probe sees of them."""
    return [look(*one) for one in seen(pictures, codec)]


def blurred(picture: Picture, kernel: int = 41) -> Picture:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (kernel, kernel), 0), np.uint8)


def lit(picture: Picture, times: float) -> Picture:
    """With so much more light."""
    return np.asarray(np.clip(picture.astype(np.float32) * times + 40, 0, 255), np.uint8)


def dark(picture: Picture) -> Picture:
    """The lamp is off: sensor noise."""
    noise = np.random.default_rng(5).normal(6, 4, picture.shape)
    return np.asarray(np.clip(noise, 0, 255), np.uint8)


def bars(count: int = 8, part: float = 1.0) -> Picture:
    """A test pattern: so many bars over this part of the height, grey below."""
    colours = [
        (191, 191, 191), (0, 191, 191), (191, 191, 0), (0, 191, 0),
        (191, 0, 191), (0, 0, 191), (191, 0, 0), (0, 0, 0),
    ]  # fmt: skip
    picture = np.full((720, 1280, 3), 40, np.uint8)
    for number, colour in enumerate(colours[:count]):
        picture[: int(720 * part), number * 1280 // count : (number + 1) * 1280 // count] = colour
    return picture


def green(picture: Picture, share: float) -> Picture:
    """A decoder had no data for this part."""
    broken = picture.copy()
    broken[: int(picture.shape[0] * share)] = (0, 135, 0)
    return broken
