"""H.264 and AAC into an MP4: what every player and every DICOM archive takes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, BinaryIO, Final, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from mediaserver.review.export.pictures import Picture
from mediaserver.review.export.sound import CHANNELS, SAMPLES_PER_SECOND, Samples

SOUND_FRAME_SAMPLES: Final = 1024
"""One AAC frame."""
_SOUND_BITS_PER_SECOND: Final = 96_000
_BT709: Final = 1
_LIMITED_RANGE: Final = 1
_MAX_BITS_LEVEL_4_1: Final = 62_500_000
"""ITU-T H.264 table A-1, High profile."""


class Film:
    """One MP4 being written: H.264 High level 4.1, yuv420p BT.709, constant frame rate; AAC when asked for.

    Level 4.1 (1920x1080 at 30/s) is what DICOM's transfer syntax allows and what old players decode.
    """

    def __init__(
        self,
        stream: BinaryIO,
        width: int,
        height: int,
        frames_per_second: int,
        *,
        sound: bool,
        metadata: dict[str, str],
    ) -> None:
        self._container = av.open(cast(Any, stream), mode="w", format="mp4")
        self._container.metadata.update(metadata)
        self._video = self._container.add_stream("libx264", rate=frames_per_second)
        context = self._video.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.profile = "High"
        context.gop_size = 2 * frames_per_second
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _LIMITED_RANGE
        context.options = {
            "preset": "veryfast",
            "crf": "20",
            "level": "4.1",
            "maxrate": str(_MAX_BITS_LEVEL_4_1),
            "bufsize": str(_MAX_BITS_LEVEL_4_1),
        }
        self._audio: AudioStream | None = None
        if sound:
            self._audio = self._container.add_stream("aac", rate=SAMPLES_PER_SECOND)
            self._audio.codec_context.layout = "mono"
            self._audio.codec_context.bit_rate = _SOUND_BITS_PER_SECOND
        self._time_base = Fraction(1, frames_per_second)
        self._samples = 0
        self.frames = 0
        """Written so far."""
        self.bytes = 0
        """Of media so far; the container adds little."""

    def show(self, picture: Picture) -> None:
        """The next picture."""
        frame = VideoFrame.from_ndarray(picture, format="bgr24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = self.frames, self._time_base
        self.frames += 1
        self._mux(self._video, frame)

    def sound(self, samples: Samples) -> None:
        """The next samples, in any number."""
        assert self._audio is not None, "a film without sound gets none"
        planes = np.ascontiguousarray(samples.T)
        frame = AudioFrame.from_ndarray(planes, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SAMPLES_PER_SECOND, self._samples
        frame.time_base = Fraction(1, SAMPLES_PER_SECOND)
        self._samples += len(samples)
        assert samples.shape[1] == CHANNELS
        self._mux(self._audio, frame)

    def finish(self) -> None:
        """Writes the index. The stream stays open."""
        self._mux(self._video, None)
        if self._audio is not None:
            self._mux(self._audio, None)
        self._container.close()

    def _mux(self, stream: VideoStream | AudioStream, frame: VideoFrame | AudioFrame | None) -> None:
        for packet in stream.encode(cast(Any, frame)):
            self.bytes += packet.size
            self._container.mux(packet)
