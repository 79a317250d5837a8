"""Object storage: one behaviour over a folder and over an S3-compatible store (moto's server)."""

from __future__ import annotations

import hashlib
import io
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from mediaserver.config import Storage
from mediaserver.errors import InvalidSettings
from mediaserver.ids import RecordingId
from mediaserver.store import objects as module
from mediaserver.store.objects import Erased, ObjectBytes, Objects, StorageFailed, object_key
from mediaserver.vault import ChunkReader, ChunkWriter, DataKey


@pytest.fixture(scope="module")
def s3() -> Iterator[Storage]:
    """An S3 of this machine with the bucket ``loupe``."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    request = urllib.request.Request(f"http://{host}:{port}/loupe", method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        pass
    yield Storage(
        url="s3://loupe/theatre",
        endpoint=f"http://{host}:{port}",
        region="us-east-1",
        allow_http=True,
        access_key_id="test",
        secret_access_key=SecretStr("test"),
    )
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        (tmp_path / "share").mkdir()
        opened = Objects.open(Storage(url=f"file://{tmp_path / 'share'}"))
    else:
        opened = Objects.open(request.getfixturevalue("s3"))
    assert opened is not None
    return opened


def test_what_is_put_is_read_back_in_ranges_and_deleted(objects: Objects, tmp_path: Path) -> None:
    content = os.urandom(300_000)
    file = tmp_path / "a"
    file.write_bytes(content)
    objects.put("recordings/r1/segments/t/1", file, hashlib.sha256(content).digest())
    objects.put("recordings/r1/key", b"key", hashlib.sha256(b"key").digest())
    objects.put("recordings/r10/key", b"other", hashlib.sha256(b"other").digest())
    source = ObjectBytes.open(objects, "recordings/r1/segments/t/1")
    assert source.size == len(content)
    assert source.read_at(1000, 50) == content[1000:1050]
    assert source.read_at(len(content) - 5, 100) == content[-5:]
    assert source.read_at(len(content), 10) == b""
    objects.delete("recordings/r1/key")
    objects.delete("recordings/r1/key")
    assert objects.delete_all("recordings/r1") == 1
    assert objects.delete_all("recordings/r1") == 0
    assert objects.size("recordings/r10/key") == 5, "another recording whose id begins alike"
    objects.delete_all("recordings")


def test_a_sealed_file_is_read_chunk_by_chunk_from_the_store(objects: Objects, tmp_path: Path) -> None:
    key, plain, stream = DataKey(os.urandom(32)), os.urandom(500_000), io.BytesIO()
    with ChunkWriter(stream, key, "c") as writer:
        writer.write(plain)
    objects.put("x", stream.getvalue(), writer.sha256)
    reader = ChunkReader(ObjectBytes.open(objects, "x"), key, "c")
    assert reader.read(200_000, 70_000) == plain[200_000:270_000]
    objects.delete_all("")
    assert list(tmp_path.glob("share/*")) == []


def test_what_does_not_arrive_whole_is_an_error(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StorageFailed, match="read back"):
        objects.put("x", b"one", hashlib.sha256(b"other").digest())
    with pytest.raises(StorageFailed, match=r"NotFound|FileNotFound"):
        objects.size("nothing")
    monkeypatch.setattr(module, "READ_BACK_BYTES", 2)
    assert objects.sha256("x") == hashlib.sha256(b"one").digest()
    objects.delete("x")


def test_a_store_that_is_away_is_an_error_without_its_address() -> None:
    away = Objects.open(
        Storage(
            url="s3://loupe/x",
            endpoint="http://127.0.0.1:9",
            region="us-east-1",
            allow_http=True,
            access_key_id="test",
            secret_access_key=SecretStr("geheim"),
        )
    )
    assert away is not None
    with pytest.raises(StorageFailed) as failure:
        away.size("x")
    assert "127.0.0.1" not in failure.value.message


def test_none_is_configured_or_wrongly(tmp_path: Path) -> None:
    assert Objects.open(Storage()) is None
    with pytest.raises(InvalidSettings, match="storage"):
        Objects.open(Storage(url=f"file://{tmp_path}/none"))
    with pytest.raises(ValueError, match="s3://"):
        Storage(url="http://x")


def test_names_are_those_of_the_folder() -> None:
    folder = Path("/data/recordings/r1")
    assert object_key(RecordingId("r1"), folder / "segments/t/000001.webm.enc", folder) == (
        "recordings/r1/segments/t/000001.webm.enc"
    )


def test_nothing_is_put_where_all_is_destroyed(objects: Objects) -> None:
    digest = hashlib.sha256(b"key").digest()
    objects.refuse_below("recordings/r1")
    with pytest.raises(Erased):
        objects.put("recordings/r1/key", b"key", digest)
    assert objects.delete_all("recordings/r1") == 0
    objects.put("recordings/r10/key", b"key", digest)
    objects.delete_all("recordings")
