"""Stills carry source and time where programs look for them, and nothing in their pixels."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from mediaserver.review.export import still
from mediaserver.review.export.provenance import Provenance, trace
from mediaserver.review.purposes import Use
from tests.mediaserver.review.recorded import theatre

LABEL = "Nội soi <đường mật> & gan"


@pytest.fixture
def provenance(tmp_path: Path) -> Provenance:
    return trace(theatre(tmp_path), ["t-cam-a"], 1.0, 1.0, datetime(2026, 4, 1, tzinfo=UTC), Use.CARE)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)


def xmp(packet: bytes) -> dict[str, str]:
    start, end = packet.index(b"<x:xmpmeta"), packet.index(b"</x:xmpmeta>") + 12
    root = ElementTree.fromstring(packet[start:end])
    return {one.tag.rpartition("}")[2]: one.text or "" for one in root.iter() if one.text}


def test_png_is_lossless_and_says_what_it_is(picture: np.ndarray, provenance: Provenance) -> None:
    content = still.png(picture, provenance, LABEL)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(np.asarray(decoded), picture)
    position, kinds = 8, []
    while position < len(content):
        length, kind = (
            int.from_bytes(content[position : position + 4], "big"),
            content[position + 4 : position + 8],
        )
        body = content[position + 4 : position + 8 + length]
        assert zlib.crc32(body) == int.from_bytes(
            content[position + 8 + length : position + 12 + length], "big"
        )
        kinds.append(kind)
        position += 12 + length
    assert kinds[0] == b"IHDR"
    assert kinds.count(b"iTXt") == 5
    said = xmp(content)
    assert said["DateTimeOriginal"] == "2026-03-09T01:30:01.000Z"
    assert said["source"] == f"rTheatre-1/{LABEL}"
    assert said["SourcesSha256"] == provenance.digest


def test_jpeg_says_the_same(picture: np.ndarray, provenance: Provenance) -> None:
    smooth = np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.uint8)
    content = still.jpeg(smooth, provenance, LABEL)
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - smooth).mean() < 4
    assert content[2:4] == b"\xff\xe1"
    assert xmp(content)["description"] == provenance.sentence
