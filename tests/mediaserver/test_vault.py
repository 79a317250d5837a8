"""The vault: what it seals opens only whole, unaltered, in its place, with its key."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.config import load
from mediaserver.errors import InvalidSettings
from mediaserver.vault import (
    KEY_BYTES,
    MASTER_KEY_VARIABLE,
    TAG_BYTES,
    ChunkReader,
    ChunkWriter,
    DataKey,
    FileBytes,
    NoMasterKey,
    NotAuthentic,
    Vault,
    check_signature,
    make_master_key,
)

CHUNK = 100
HEADER = 31
SEALED = CHUNK + TAG_BYTES
CONTEXT = "recording/r1/segment/t1/000001"


@dataclass
class Memory:
    """Sealed bytes that a test may damage."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]


def sealed(plain: bytes, key: DataKey, context: str = CONTEXT) -> bytes:
    stream = io.BytesIO()
    with ChunkWriter(stream, key, context, chunk_bytes=CHUNK) as writer:
        writer.write(plain)
    assert hashlib.sha256(stream.getvalue()).digest() == writer.sha256
    return stream.getvalue()


def read_all(content: bytes, key: DataKey, context: str = CONTEXT) -> bytes:
    reader = ChunkReader(Memory(content), key, context)
    return reader.read(0, reader.size)


@pytest.fixture
def vault() -> Vault:
    return Vault([secrets.token_bytes(KEY_BYTES)])


@pytest.fixture
def key(vault: Vault) -> DataKey:
    return vault.new_data_key()


# ---- Wrapping and sealing ----


def test_data_keys_and_fields_open_in_their_own_context_only(vault: Vault, key: DataKey) -> None:
    wrapped = vault.wrap(key, "recording/r1")
    assert key.raw not in wrapped
    assert vault.unwrap(wrapped, "recording/r1") == key
    with pytest.raises(NotAuthentic):
        vault.unwrap(wrapped, "recording/r2")
    name = vault.seal_field("Nguyễn Thị Ánh", "procedure/p1/reference")
    assert "Nguyễn".encode() not in name
    assert vault.open_field(name, "procedure/p1/reference") == "Nguyễn Thị Ánh"
    with pytest.raises(NotAuthentic):
        vault.open_field(name, "procedure/p2/reference")
    with pytest.raises(NotAuthentic, match="altered"):
        vault.open_field(wrapped, "recording/r1")


def test_every_altered_bit_and_every_cut_is_noticed(vault: Vault) -> None:
    content = vault.seal_field("x", "c")
    for position in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[position] ^= 1 << bit
            with pytest.raises(NotAuthentic):
                vault.open_field(bytes(damaged), "c")
    for length in range(len(content)):
        with pytest.raises(NotAuthentic):
            vault.open_field(content[:length], "c")


def test_a_new_master_key_opens_what_the_old_one_sealed() -> None:
    old, new = (secrets.token_bytes(KEY_BYTES) for _ in range(2))
    before, after = Vault([old]), Vault([new, old])
    field, signature = before.seal_field("x", "c"), before.sign(b"m", "c")
    assert after.open_field(field, "c") == "x"
    after.check(signature, b"m", "c")
    assert after.key_id != before.key_id
    with pytest.raises(NotAuthentic, match="not here"):
        before.open_field(after.seal_field("y", "c"), "c")
    with pytest.raises(NotAuthentic, match="unknown key"):
        before.check(after.sign(b"m", "c"), b"m", "c")


def test_signatures_bind_context_and_message(vault: Vault) -> None:
    signature = vault.sign(b"message", "context")
    vault.check(signature, b"message", "context")
    check_signature(vault.public_key, signature, b"message", "context")
    for message, context in ((b"messagf", "context"), (b"message", "contexu"), (b"tmessage", "contex")):
        with pytest.raises(NotAuthentic):
            vault.check(signature, message, context)
    with pytest.raises(NotAuthentic):
        vault.check(signature[:-1], b"message", "context")


def test_nothing_of_a_key_is_printed(vault: Vault, key: DataKey) -> None:
    text = f"{vault!r} {key!r} {key}"
    assert key.raw.hex() not in text
    assert repr(key.raw) not in text
    assert key.derive("a") != key.derive("b")


# ---- Chunked files ----


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(0, 5 * CHUNK + 3),
    chunk_bytes=st.integers(1, 2 * CHUNK),
    pieces=st.lists(st.integers(0, 3 * CHUNK), max_size=8),
    ranges=st.lists(st.tuples(st.integers(0, 6 * CHUNK), st.integers(0, 6 * CHUNK)), max_size=8),
)
def test_any_range_of_any_file_written_in_any_pieces(
    size: int, chunk_bytes: int, pieces: list[int], ranges: list[tuple[int, int]]
) -> None:
    plain = os.urandom(size)
    key = DataKey(os.urandom(KEY_BYTES))
    stream = io.BytesIO()
    with ChunkWriter(stream, key, CONTEXT, chunk_bytes=chunk_bytes) as writer:
        rest = memoryview(plain)
        for piece in pieces:
            writer.write(rest[:piece])
            rest = rest[piece:]
        writer.write(rest)
    reader = ChunkReader(Memory(stream.getvalue()), key, CONTEXT)
    assert reader.size == writer.plain_bytes == size
    for offset, length in [*ranges, (0, size)]:
        assert reader.read(offset, length) == plain[offset : offset + length]


@settings(max_examples=200, deadline=None)
@given(size=st.integers(0, 3 * CHUNK), data=st.data())
def test_a_changed_byte_anywhere_is_noticed(size: int, data: st.DataObject) -> None:
    key = DataKey(os.urandom(KEY_BYTES))
    content = bytearray(sealed(os.urandom(size), key))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotAuthentic):
        read_all(bytes(content), key)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_every_cut_is_noticed_on_opening(key: DataKey, size: int) -> None:
    content = sealed(os.urandom(size), key)
    for length in range(len(content)):
        with pytest.raises(NotAuthentic):
            ChunkReader(Memory(content[:length]), key, CONTEXT)
    for more in (b"\0", os.urandom(TAG_BYTES), os.urandom(SEALED), content[HEADER:]):
        with pytest.raises(NotAuthentic):
            ChunkReader(Memory(content + more), key, CONTEXT)


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 1, 3], [0, 0, 1, 2, 3], [0, 2, 3], [3], [0, 1, 2], [0, 3]]
)
def test_chunks_moved_doubled_or_left_out_are_noticed(key: DataKey, order: list[int]) -> None:
    content = sealed(os.urandom(3 * CHUNK + 50), key)
    chunks = [content[HEADER + number * SEALED :][:SEALED] for number in range(4)]
    with pytest.raises(NotAuthentic):
        read_all(content[:HEADER] + b"".join(chunks[number] for number in order), key)


def test_chunks_and_headers_of_another_file_are_noticed(key: DataKey) -> None:
    one, other = (sealed(os.urandom(2 * CHUNK + 50), key) for _ in range(2))
    for start, end in ((0, HEADER), (HEADER, HEADER + SEALED), (HEADER + 2 * SEALED, len(one))):
        with pytest.raises(NotAuthentic):
            read_all(one[:start] + other[start:end] + one[end:], key)


def test_a_file_opens_in_its_own_place_and_with_its_own_key_only(vault: Vault, key: DataKey) -> None:
    content = sealed(b"x", key)
    assert read_all(content, key) == b"x"
    with pytest.raises(NotAuthentic):
        read_all(content, key, CONTEXT.replace("000001", "000002"))
    with pytest.raises(NotAuthentic):
        read_all(content, vault.new_data_key())


@pytest.mark.parametrize("claimed", [0, 16 * 1024 * 1024 + 1, 2**32 - 1])
def test_a_hostile_header_takes_no_memory(key: DataKey, claimed: int) -> None:
    content = bytearray(sealed(b"x", key))
    content[4:8] = claimed.to_bytes(4, "big")
    with pytest.raises(NotAuthentic, match="no sealed file"):
        ChunkReader(Memory(bytes(content)), key, CONTEXT)


def test_what_failed_half_way_does_not_look_whole(key: DataKey) -> None:
    stream = io.BytesIO()
    writer = ChunkWriter(stream, key, CONTEXT, chunk_bytes=CHUNK)
    with pytest.raises(TypeError), writer:
        writer.write(bytes(2 * CHUNK + 1) + "")  # type: ignore[operator]
    writer.write(bytes(2 * CHUNK + 1))
    with pytest.raises(NotAuthentic):
        ChunkReader(Memory(stream.getvalue()), key, CONTEXT)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")


def test_only_the_chunks_needed_are_read(key: DataKey) -> None:
    content = sealed(bytes(range(250)) * 4, key)
    asked: list[int] = []

    class Counting(Memory):
        def read_at(self, offset: int, length: int) -> bytes:
            asked.append((offset - HEADER) // SEALED)
            return super().read_at(offset, length)

    reader = ChunkReader(Counting(content), key, CONTEXT)
    asked.clear()
    assert reader.read(330, 100) == (bytes(range(250)) * 4)[330:430]
    assert asked == [3, 4]
    with pytest.raises(ValueError, match="negative"):
        reader.read(-1, 1)


def test_files_are_read_from_the_disk_without_following_links(tmp_path: Path, key: DataKey) -> None:
    file = tmp_path / "a"
    file.write_bytes(sealed(b"hello", key))
    with FileBytes(file) as source:
        assert ChunkReader(source, key, CONTEXT).read(1, 3) == b"ell"
    link = tmp_path / "b"
    link.symlink_to(file)
    with pytest.raises(OSError, match="symbolic"):
        FileBytes(link)


# ---- Master keys ----


def open_with(monkeypatch: pytest.MonkeyPatch, folder: Path, file: Path | None, variable: str = "") -> Vault:
    monkeypatch.setenv(MASTER_KEY_VARIABLE, variable)
    recording = {} if file is None else {"master_key_file": str(file)}
    return Vault.open(load({"data": {"folder": str(folder)}, "recording": recording}))


def test_a_made_key_opens_the_vault_and_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "master.key"
    make_master_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    vault = open_with(monkeypatch, tmp_path / "data", file)
    with pytest.raises(InvalidSettings, match="exists"):
        make_master_key(file)
    raw = bytes.fromhex(file.read_text().strip())
    variable = base64.b64encode(raw).decode()
    assert open_with(monkeypatch, tmp_path / "data", None, variable).key_id == vault.key_id
    file.write_text(f"{secrets.token_hex(32)}\n{raw.hex()}\n")
    assert open_with(monkeypatch, tmp_path / "data", file).open_field(vault.seal_field("x", "c"), "c") == "x"


def test_without_a_key_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NoMasterKey, match="master_key_file"):
        open_with(monkeypatch, tmp_path, None)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "holds no key"),
        ("00" * 32, "sample"),
        ("ab", "32 bytes"),
        ("zz" * 32, "32 bytes"),
        ("\n".join([secrets.token_hex(32)] * 17), "more than"),
    ],
)
def test_bad_keys_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, text: str
) -> None:
    file = tmp_path / "master.key"
    file.touch(0o600)
    file.write_text(content)
    with pytest.raises(InvalidSettings, match=text):
        open_with(monkeypatch, tmp_path / "data", file)


def test_a_key_inside_the_data_folder_or_open_to_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inside = tmp_path / "data" / "master.key"
    make_master_key(inside)
    link = tmp_path / "link.key"
    link.symlink_to(inside)
    for file in (inside, link):
        with pytest.raises(InvalidSettings, match="inside the data folder"):
            open_with(monkeypatch, tmp_path / "data", file)
    outside = tmp_path / "master.key"
    make_master_key(outside)
    outside.chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        open_with(monkeypatch, tmp_path / "data", outside)
    with pytest.raises(InvalidSettings, match="No such file"):
        open_with(monkeypatch, tmp_path / "data", tmp_path / "none")
