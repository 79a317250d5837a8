"""Key frames out of records: gathered whole whatever the order, of the lowest layer, one a second."""

from __future__ import annotations

import contextlib
import random
import struct

import pytest

from mediaserver.quality.look import Plane
from mediaserver.quality.pace import APART_SECONDS
from mediaserver.quality.pictures import Pictures, Undecodable
from mediaserver.recording.records import RecordKind, frame, scan
from tests.mediaserver.quality import material

PAYLOAD = 400


def packets(data: bytes, timestamp: int, *, first: int = 65_530) -> list[bytes]:
    """A VP8 frame as RTP packets (RFC 7741), across the wrap of sequence numbers, with a header extension."""
    parts = [data[at : at + PAYLOAD] for at in range(0, len(data), PAYLOAD)]
    found = []
    for number, part in enumerate(parts):
        marker = 0x80 if number == len(parts) - 1 else 0
        header = struct.pack(">BBHII", 0x90, 96 | marker, (first + number) & 0xFFFF, timestamp, 7)
        extension = struct.pack(">HH", 0xBEDE, 1) + b"\x10\x01\x00\x00"
        found.append(header + extension + (b"\x10" if number == 0 else b"\x00") + part)
    return found


def records(bodies: list[bytes], *, encoding: int = 0, kind: RecordKind = RecordKind.PACKET) -> bytes:
    return b"".join(frame(kind, body, encoding=encoding) for body in bodies)


def taken(pictures: Pictures, data: bytes, now: float = 100.0) -> list[tuple[Plane, Plane, Plane]]:
    found = [pictures.take(data, record, now) for record in scan(data)]
    return [one for one in found if one is not None]


@pytest.fixture(scope="module")
def key() -> bytes:
    return material.encoded(material.endoscope(1), "VP8")[0]


def test_a_picture_comes_whole_out_of_any_order(key: bytes) -> None:
    sent = packets(key, 1)
    assert len(sent) > 6, "across the wrap"
    mixed = [*sent, sent[2]]
    random.Random(3).shuffle(mixed)
    found = taken(Pictures("VP8"), records(mixed))
    assert [plane.shape for plane in found[0]] == [(180, 320), (90, 160), (90, 160)]
    assert len(found) == 1


def test_what_misses_a_packet_is_no_picture(key: bytes) -> None:
    sent = packets(key, 1)
    for missing in (0, 2, len(sent) - 1):
        assert taken(Pictures("VP8"), records([one for i, one in enumerate(sent) if i != missing])) == []


def test_one_a_second_at_most(key: bytes) -> None:
    pictures = Pictures("VP8")
    assert len(taken(pictures, records(packets(key, 1)), 10.0)) == 1
    assert taken(pictures, records(packets(key, 2)), 10.0 + APART_SECONDS / 2) == []
    assert len(taken(pictures, records(packets(key, 3)), 10.0 + APART_SECONDS)) == 1


def test_the_lowest_layer_that_flows(key: bytes) -> None:
    pictures = Pictures("VP8")
    assert taken(pictures, records(packets(key, 1), encoding=2)) == []
    taken(pictures, frame(RecordKind.LAYERS, (0b110).to_bytes(4, "big")))
    assert taken(pictures, records(packets(key, 2), encoding=2)) == []
    assert len(taken(pictures, records(packets(key, 3), encoding=1))) == 1


def test_pictures_between_key_frames_cost_nothing(key: bytes) -> None:
    between = bytes([key[0] | 1]) + key[1:]
    assert taken(Pictures("VP8"), records(packets(between, 1))) == []


def test_a_key_frame_that_no_decoder_takes(key: bytes) -> None:
    # The header promises a first partition that is longer than the frame.
    broken = bytes([key[0] | 0xE0, 0xFF, 0xFF]) + key[3:40]
    with pytest.raises(Undecodable):
        taken(Pictures("VP8"), records(packets(broken, 1)))


def test_before_and_after_a_picture_is_decoded_it_is_said(key: bytes) -> None:
    heard: list[bool] = []
    pictures = Pictures("VP8", heard.append)
    taken(pictures, records(packets(key, 1)))
    assert heard == [True, False]


def test_a_picture_of_too_many_pixels_is_not_decoded(key: bytes) -> None:
    # A VP8 key frame has its size after tag and start code (RFC 6386 section 9.1).
    huge = key[:6] + (16_000).to_bytes(2, "little") * 2 + key[10:]
    with pytest.raises(Undecodable):
        taken(Pictures("VP8"), records(packets(huge, 1)))


def test_muting_is_known() -> None:
    pictures = Pictures("VP8")
    taken(pictures, frame(RecordKind.MUTED, b"\x01"))
    assert pictures.muted
    taken(pictures, frame(RecordKind.MUTED, b"\x00"))
    assert not pictures.muted


def test_anything_at_all_is_survived(key: bytes) -> None:
    chance = random.Random(9)
    pictures = Pictures("H264")
    for body in [b"", b"\x80", bytes(12), *packets(key, 1)]:
        for _ in range(20):
            noise = bytearray(body)
            for _ in range(min(len(noise), 3)):
                noise[chance.randrange(len(noise))] = chance.randrange(256)
            with contextlib.suppress(Undecodable):
                taken(pictures, records([bytes(noise)]), now=chance.random() * 1e6)
