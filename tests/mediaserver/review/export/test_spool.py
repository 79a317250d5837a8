"""A spool is a file like any other, of which the disk never sees a plain byte."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest

from mediaserver.review.export.spool import Spool


@pytest.mark.parametrize("seed", range(4))
def test_it_behaves_as_a_file_in_memory_does(tmp_path: Path, seed: int) -> None:
    chance, spool, model = random.Random(seed), Spool(tmp_path), io.BytesIO()
    for _ in range(120):
        match chance.randrange(3):
            case 0:
                place = chance.randrange(1_200_000)
                assert spool.seek(place) == model.seek(place)
            case 1:
                content = chance.randbytes(chance.randrange(300_000))
                assert spool.write(content) == model.write(content)
            case _:
                length = chance.randrange(400_000)
                assert spool.read(length) == model.read(length)
        assert spool.tell() == model.tell()
    spool.seek(0)
    assert spool.read() == model.getvalue()
    spool.close()
    spool.close()


def test_the_disk_sees_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write(b"ftypisom" * 400_000)
    spool.seek(0)
    assert list(tmp_path.iterdir()) == [], "unlinked from the start"
    kept = os.pread(spool._file.fileno(), 10_000_000, 0)
    assert len(kept) > 2_000_000
    assert b"ftyp" not in kept


def test_what_was_changed_on_the_disk_is_refused(tmp_path: Path) -> None:
    from cryptography.exceptions import InvalidTag

    spool = Spool(tmp_path)
    spool.write(bytes(1_000_000))
    os.pwrite(spool._file.fileno(), b"x", 1000)
    spool.seek(0)
    with pytest.raises(InvalidTag):
        spool.read(10)
