"""What is written is what DICOM and old players take; frames and samples are all there."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from mediaserver.review.export.film import SOUND_FRAME_SAMPLES, Film


def written(frames: int, *, sound: bool = False, size: tuple[int, int] = (320, 240), rate: int = 25) -> bytes:
    stream = io.BytesIO()
    film = Film(stream, *size, rate, sound=sound, metadata={"comment": "Derived"})
    for number in range(frames):
        film.show(np.full((size[1], size[0], 3), number * 3 % 256, np.uint8))
        if sound:
            film.sound(np.zeros((SOUND_FRAME_SAMPLES, 1), np.float32))
    film.finish()
    assert film.frames == frames
    assert film.bytes > 0
    return stream.getvalue()


@pytest.mark.parametrize("frames", [1, 2, 60])
def test_every_frame_is_there_at_its_time(frames: int) -> None:
    with av.open(io.BytesIO(written(frames)), "r") as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert container.metadata["comment"] == "Derived"
    assert times == pytest.approx([number / 25 for number in range(frames)])


def test_high_profile_level_4_1_at_full_size() -> None:
    with av.open(io.BytesIO(written(3, size=(1920, 1080), rate=30)), "r") as container:
        video = container.streams.video[0]
        extradata = video.codec_context.extradata
        assert extradata is not None
        # AVCDecoderConfigurationRecord (ISO/IEC 14496-15): version, profile, compatibility, level.
        assert (extradata[1], extradata[3]) == (100, 41)


def test_sound_is_beside_it() -> None:
    with av.open(io.BytesIO(written(30, sound=True)), "r") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples == pytest.approx(30 * SOUND_FRAME_SAMPLES, abs=2 * SOUND_FRAME_SAMPLES)
