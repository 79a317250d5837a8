"""The loopback's picture survives the encoder: what cannot be read would be told as lost."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder, VpxPayloadDescriptor
from aiortc.jitterbuffer import JitterFrame
from av import VideoFrame

from signalling import loopback
from signalling.demo import marks
from signalling.demo.marks import Mark

FRAMES = 200
TICKS = 6000
"""Of 90 kHz: fifteen pictures a second."""


def test_every_mark_is_read_back_from_what_was_encoded() -> None:
    encoder, decoder = Vp8Encoder(), Vp8Decoder()
    read: list[int | None] = []
    for number in range(FRAMES):
        picture = loopback.ground()
        marks.draw(picture, Mark(number, 1_790_000_000_000 + number * 67))
        frame = VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = number * TICKS, Fraction(1, 90_000)
        payloads, timestamp = encoder.encode(frame)
        data = b"".join(VpxPayloadDescriptor.parse(payload)[1] for payload in payloads)
        for shown in decoder.decode(JitterFrame(data=data, timestamp=timestamp)):
            assert isinstance(shown, VideoFrame)
            mark = marks.read(np.asarray(shown.to_ndarray(format="gray"), np.uint8))
            read.append(None if mark is None else mark.frame)
    assert read == list(range(FRAMES))
