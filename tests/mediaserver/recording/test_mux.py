"""Files that play by themselves: their time begins at zero and never goes back."""

from __future__ import annotations

import io

import av
import pytest

from mediaserver.recording.depacketise import Unit, assembler
from mediaserver.recording.mux import CONTAINERS, mux, typical_seconds
from mediaserver.recording.parts import Picture
from mediaserver.recording.streams import StreamKey
from tests.recorded import encoded, packetised

KEY = StreamKey(1, 0, 1)


def pictures(codec: str, count: int, step: float, start: float = 500.0) -> list[Picture]:
    units = [assembler(codec)(packetised(codec, data, n)) for n, data in enumerate(encoded(codec, count))]
    return [Picture(start + n * step, KEY, n, unit) for n, unit in enumerate(units)]


@pytest.mark.parametrize("codec", sorted(CONTAINERS))
def test_every_codec_has_its_container(codec: str) -> None:
    taken = pictures(codec, 20, 0.05)
    with av.open(io.BytesIO(mux(codec, taken, 0.05)), "r") as file:
        stream = file.streams[0]
        packets = [packet for packet in file.demux(stream) if packet.size]
        assert CONTAINERS[codec].codec == stream.codec_context.codec.canonical_name
        times = [float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
        if codec != "OPUS":  # its header says what of the first packet is skipped
            assert times[0] == 0.0
        assert times[-1] - times[0] == pytest.approx(0.95, abs=0.01)


def test_two_pictures_at_one_moment_keep_their_order() -> None:
    taken = pictures("VP8", 3, 0.0)
    with av.open(io.BytesIO(mux("VP8", taken, 0.03)), "r") as file:
        times = [packet.pts for packet in file.demux(video=0) if packet.size]
    assert times == [0, 1, 2]


def test_how_long_the_last_lasts() -> None:
    assert typical_seconds("VP8", pictures("VP8", 10, 0.04)) == pytest.approx(0.04)
    assert typical_seconds("VP8", pictures("VP8", 1, 0.04)) == pytest.approx(1 / 30)
    assert typical_seconds("OPUS", pictures("OPUS", 3, 0.02)) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        (b"\x00x", 0.01),
        (b"\x18x", 0.06),
        (b"\x68x", 0.02),
        (b"\x80x", 0.0025),
        (b"\xf9x", 0.04),
        (b"\xfb\x03", 0.06),
    ],
)
def test_lengths_of_opus_packets(head: bytes, seconds: float) -> None:
    """RFC 6716 table 2 and section 3.2."""
    picture = Picture(0.0, KEY, 0, Unit(head, keyframe=True))
    assert typical_seconds("OPUS", [picture]) == pytest.approx(seconds)
