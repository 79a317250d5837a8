"""An MP4 whose index moved to the front plays as it did."""

from __future__ import annotations

import io

import av
import pytest

from mediaserver.review.export import faststart
from tests.mediaserver.review.recorded import film


def frames(content: bytes) -> list[tuple[float | None, bytes]]:
    with av.open(io.BytesIO(content), "r") as container:
        return [(frame.time, bytes(frame.planes[0])) for frame in container.decode(video=0)]


def test_the_index_comes_first_and_every_picture_stays() -> None:
    original = film(0, 2, codec="libx264")
    assert original.index(b"mdat") < original.index(b"moov")
    out = io.BytesIO()
    assert faststart.copy(io.BytesIO(original), out) == len(original) == len(out.getvalue())
    moved = out.getvalue()
    assert moved.index(b"ftyp") < moved.index(b"moov") < moved.index(b"mdat")
    assert frames(moved) == frames(original)
    again = io.BytesIO()
    faststart.copy(io.BytesIO(moved), again)
    assert again.getvalue() == moved, "what is in order is left so"


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x00\x00\x08ftyp", b"\xff\xff\xff\xffftypisom", b"\x00\x00\x00\x04ftyp", film(0, 1)],
    ids=["empty", "no media", "too long a box", "too short a box", "webm"],
)
def test_what_is_no_film_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, Exception), match=r".*") as refused:
        faststart.copy(io.BytesIO(content), io.BytesIO())
    assert type(refused.value).__name__ in ("ValueError", "error")


def test_an_index_that_lies_about_its_boxes_is_refused() -> None:
    broken = bytearray(film(0, 1, codec="libx264"))
    place = broken.index(b"stbl")
    broken[place - 4 : place] = b"\x7f\xff\xff\xff"
    with pytest.raises(ValueError, match="longer"):
        faststart.copy(io.BytesIO(bytes(broken)), io.BytesIO())
