"""Small pictures for a timeline, made when asked for and kept nowhere."""

from __future__ import annotations

from typing import Final

import av
import cv2
import numpy as np

from mediaserver.recording.reader import Recording, Track
from mediaserver.review.segment_file import open_segment
from mediaserver.store.recordings import UnknownRecording

WIDTH: Final = 160
JPEG_QUALITY: Final = 70


def thumbnail(recording: Recording, track: Track, seconds: float) -> bytes:
    """The key frame at or before a moment, as JPEG.

    Raises ``UnknownRecording`` where nothing was recorded.
    """
    for segment in recording.segments(track):
        within = seconds - segment.start_seconds
        if not 0 <= within < segment.duration_seconds:
            continue
        if any(start <= seconds < end for start, end, _ in segment.gaps):
            break  # what stood before a gap must not stand for what was during it
        with av.open(open_segment(recording, segment), mode="r") as container:
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            if stream.time_base is not None:
                container.seek(int(within / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                height = max(2, round(frame.height * WIDTH / frame.width))
                small = frame.reformat(width=WIDTH, height=height, format="bgr24").to_ndarray()
                encoded = cv2.imencode(".jpg", np.asarray(small), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                return encoded[1].tobytes()
    raise UnknownRecording("no picture was recorded at this moment")
