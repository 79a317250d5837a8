"""One small picture for an operator who asked for it; kept nowhere. Pure."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from mediaserver.quality.look import Plane

MAX_SIDE: Final = 256
JPEG_QUALITY: Final = 80
"""Noise of this size, the worst there is, makes 54 kB: it travels in one message whatever it shows."""


def jpeg(luma: Plane, first_chroma: Plane, second_chroma: Plane) -> bytes:
    """Of the three planes of a picture (YUV 4:2:0, limited range), in its own shape, its sides made even."""
    height, width = luma.shape
    scale = min(1.0, MAX_SIDE / max(height, width))
    # Even, as two by two pixels share their chroma.
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    chroma_size = (size[0] // 2, size[1] // 2)
    planes = [
        cv2.resize(plane, to, interpolation=cv2.INTER_AREA).reshape(-1)
        for plane, to in ((luma, size), (first_chroma, chroma_size), (second_chroma, chroma_size))
    ]
    stacked = np.concatenate(planes).reshape(size[1] * 3 // 2, size[0])
    picture = cv2.cvtColor(stacked, cv2.COLOR_YUV2BGR_I420)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
