"""What keeps recordings and names unreadable on the disk: a master key from outside the data folder, data
keys wrapped by it, fields sealed with it, and files encrypted in chunks so that any range can be read.

AES-256-GCM throughout (NIST SP 800-38D). A *context* is authenticated with everything: it says what a
sealed thing is for, so that nothing sealed can be put in another's place. Chunked files follow the STREAM
construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015): nonce = prefix || counter || last, under a key
derived for each file. Deleting a wrapped data key makes what it encrypts unreadable for good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mediaserver.config import Settings
from mediaserver.errors import InvalidSettings, LoupeError

KEY_BYTES: Final = 32
"""AES-256."""
TAG_BYTES: Final = 16
NONCE_BYTES: Final = 12
KEY_ID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
MASTER_KEY_VARIABLE: Final = "LOUPE_RECORDING_MASTER_KEY"
MAX_MASTER_KEYS: Final = 16
"""The current one and those that older recordings were wrapped with."""
CHUNK_BYTES: Final = 64 * 1024
"""Plain bytes of a chunk: small enough that a seek decrypts little, large enough that tags cost 0.02 %."""
MAX_CHUNK_BYTES: Final = 16 * 1024 * 1024
"""A header may not make a reader take more than this at once."""

SEALED_NAME: Final = "~"
"""What a sealed name begins with, and no room's name may."""

_SEALED_VERSION: Final = 1
_MAGIC: Final = b"LPC1"
_SALT_BYTES: Final = 16
_PREFIX_BYTES: Final = 7
_HEADER: Final = struct.Struct(f">4sI{_SALT_BYTES}s{_PREFIX_BYTES}s")
_NONCE: Final = struct.Struct(f">{_PREFIX_BYTES}sIB")
_MAX_CHUNKS: Final = 2**32


class NoMasterKey(LoupeError):
    """Nothing that must be sealed can be kept."""

    code = "no_master_key"
    default = (
        "recording and procedures need a master key: set recording.master_key_file (outside the data folder) "
        f"or {MASTER_KEY_VARIABLE}; `loupe master-key FILE` makes one"
    )


class NotAuthentic(LoupeError):
    """What was read is not what was sealed: altered, cut, moved, or sealed with another key."""

    code = "not_authentic"
    default = "the sealed content was altered, or belongs to another key or place"


def _derive(key: bytes, purpose: str, salt: bytes | None = None, length: int = KEY_BYTES) -> bytes:
    """RFC 5869 with SHA-256: one key for one purpose."""
    return HKDF(hashes.SHA256(), length, salt, b"loupe " + purpose.encode()).derive(key)


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """The key of one recording (32 bytes); never printed, never stored unless wrapped."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES:
            raise ValueError(f"a data key has {KEY_BYTES} bytes")

    def __repr__(self) -> str:
        return "DataKey(<redacted>)"

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose only, e.g. one journal's."""
        return _derive(self.raw, purpose)


@dataclass(frozen=True, slots=True, repr=False)
class _Master:
    """One master key's subkeys; ``id`` says in whatever it sealed that it was this one."""

    id: bytes
    wrapping: AESGCM
    fields: AESGCM
    names: AESSIV
    signing: Ed25519PrivateKey


def _master(key: bytes) -> _Master:
    return _Master(
        id=_derive(key, "key id", length=KEY_ID_BYTES),
        wrapping=AESGCM(_derive(key, "wrap data keys")),
        fields=AESGCM(_derive(key, "seal fields")),
        names=AESSIV(_derive(key, "seal names", length=2 * KEY_BYTES)),
        signing=Ed25519PrivateKey.from_private_bytes(_derive(key, "sign")),
    )


class Vault:
    """Seals with the first of its master keys, opens with any: put a new one first to rotate."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ``ValueError`` without 1 to 16 keys of 32 bytes each."""
        if not 1 <= len(keys) <= MAX_MASTER_KEYS or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"1 to {MAX_MASTER_KEYS} master keys of {KEY_BYTES} bytes")
        self._masters = {master.id: master for master in map(_master, keys)}
        self._current = _master(keys[0])

    def __repr__(self) -> str:
        return "Vault(<redacted>)"

    @classmethod
    def open(cls, settings: Settings) -> Vault:
        """The vault of this configuration; the environment's key wins over the file's.

        Raises ``NoMasterKey`` when none is configured, ``InvalidSettings`` when it cannot be used.
        """
        if text := os.environ.get(MASTER_KEY_VARIABLE):
            return cls([_parse_key(text, MASTER_KEY_VARIABLE)])
        file = settings.recording.master_key_file
        if file is None:
            raise NoMasterKey
        return cls(_read_keys(file, settings.data.folder))

    @property
    def key_id(self) -> str:
        """Of the current master key, in hex; no secret."""
        return self._current.id.hex()

    # ---- Data keys ----

    def new_data_key(self) -> DataKey:
        """Random."""
        return DataKey(secrets.token_bytes(KEY_BYTES))

    def wrap(self, key: DataKey | bytes, context: str) -> bytes:
        """A data key as it may lie on the disk: version || key id || nonce || sealed key."""
        raw = key.raw if isinstance(key, DataKey) else key
        return _seal(self._current.id, self._current.wrapping, raw, context)

    def unwrap(self, wrapped: bytes, context: str) -> DataKey:
        """Raises ``NotAuthentic``."""
        raw = _unseal(wrapped, context, {id: master.wrapping for id, master in self._masters.items()})
        if len(raw) != KEY_BYTES:
            raise NotAuthentic
        return DataKey(raw)

    # ---- Fields of the database ----

    def seal_field(self, plain: str, context: str) -> bytes:
        """A column that holds a name or a reference; the context is like ``procedure/<id>/reference``."""
        return _seal(self._current.id, self._current.fields, plain.encode(), context)

    def open_field(self, sealed: bytes, context: str) -> str:
        """Raises ``NotAuthentic``."""
        raw = _unseal(sealed, context, {id: master.fields for id, master in self._masters.items()})
        return raw.decode()

    # ---- Names that rows are found by ----

    def seal_name(self, plain: str, context: str) -> str:
        """A column that is looked for: AES-SIV (RFC 5297), so that equal names of one context seal alike, and
        nothing else shows of them."""
        return _seal_name(self._current, plain, context)

    def sealed_names(self, plain: str, context: str) -> tuple[str, ...]:
        """As ``seal_name`` under every master key, the current one's first: what older rows may hold."""
        others = [master for master in self._masters.values() if master.id != self._current.id]
        return tuple(_seal_name(master, plain, context) for master in (self._current, *others))

    def open_name(self, sealed: str, context: str) -> str:
        """Raises ``NotAuthentic``."""
        id, _, body = sealed.removeprefix(SEALED_NAME).partition(".")
        try:
            master = self._masters[bytes.fromhex(id)]
            return master.names.decrypt(base64.urlsafe_b64decode(body), [context.encode()]).decode()
        except (KeyError, ValueError, InvalidTag):
            raise NotAuthentic from None

    # ---- Signatures ----

    @property
    def public_key(self) -> bytes:
        """Ed25519 (RFC 8032), 32 bytes: who keeps it elsewhere can check signatures without the vault."""
        return self._current.signing.public_key().public_bytes_raw()

    def sign(self, message: bytes, context: str) -> bytes:
        """key id || Ed25519 signature over context and message."""
        return self._current.id + self._current.signing.sign(_signed(message, context))

    def check(self, signature: bytes, message: bytes, context: str) -> None:
        """Raises ``NotAuthentic`` unless one of our keys signed this message in this context."""
        master = self._masters.get(signature[:KEY_ID_BYTES])
        if master is None:
            raise NotAuthentic("the signature is of an unknown key")
        check_signature(master.signing.public_key().public_bytes_raw(), signature, message, context)


def check_signature(public_key: bytes, signature: bytes, message: bytes, context: str) -> None:
    """As ``Vault.check``, with nothing but the public key. Raises ``NotAuthentic``."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature[KEY_ID_BYTES:], _signed(message, context))
    except (InvalidSignature, ValueError):
        raise NotAuthentic("the signature is wrong") from None


def _signed(message: bytes, context: str) -> bytes:
    text = context.encode()
    return struct.pack(">I", len(text)) + text + message


def _seal_name(master: _Master, plain: str, context: str) -> str:
    sealed = master.names.encrypt(plain.encode(), [context.encode()])
    return f"{SEALED_NAME}{master.id.hex()}.{base64.urlsafe_b64encode(sealed).decode()}"


def _seal(id: bytes, cipher: AESGCM, plain: bytes, context: str) -> bytes:
    header = bytes([_SEALED_VERSION]) + id
    nonce = secrets.token_bytes(NONCE_BYTES)
    return header + nonce + cipher.encrypt(nonce, plain, header + context.encode())


def _unseal(sealed: bytes, context: str, ciphers: dict[bytes, AESGCM]) -> bytes:
    start = 1 + KEY_ID_BYTES
    if len(sealed) < start + NONCE_BYTES + TAG_BYTES or sealed[0] != _SEALED_VERSION:
        raise NotAuthentic
    cipher = ciphers.get(sealed[1:start])
    if cipher is None:
        raise NotAuthentic("sealed with a master key that is not here")
    nonce, body = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, body, sealed[:start] + context.encode())
    except InvalidTag:
        raise NotAuthentic from None


# ---- Files in chunks ----


class Bytes(Protocol):
    """Where a chunked file is read from: a local file, or an object in a store."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes, or fewer at the end. Raises ``OSError``."""


@dataclass(slots=True)
class FileBytes:
    """A local file; owns its descriptor."""

    path: Path
    size: int = field(init=False)
    _descriptor: int = field(init=False, default=-1)

    def __post_init__(self) -> None:
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.size = os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes, or fewer at the end. Raises ``OSError``."""
        return os.pread(self._descriptor, length, offset)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ChunkWriter:
    """Encrypts a stream: header, then chunks of equal size, the last one marked as such.

    ``sha256`` is over the encrypted bytes as written. Without ``close`` the file has no last chunk and no
    reader takes it.
    """

    def __init__(
        self, stream: BinaryIO, key: DataKey, context: str, *, chunk_bytes: int = CHUNK_BYTES
    ) -> None:
        if not 1 <= chunk_bytes <= MAX_CHUNK_BYTES:
            raise ValueError(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes")
        self._stream = stream
        self._chunk_bytes = chunk_bytes
        self._prefix = secrets.token_bytes(_PREFIX_BYTES)
        header = _HEADER.pack(_MAGIC, chunk_bytes, secrets.token_bytes(_SALT_BYTES), self._prefix)
        self._cipher = _file_cipher(key, header, context)
        self._pending = bytearray()
        self._count = 0
        self._closed = False
        self._hash = hashlib.sha256()
        self.plain_bytes = 0
        """Taken so far."""
        self._put(header)

    def write(self, plain: bytes | memoryview) -> int:
        """Takes all of it; whole chunks go to the stream once more is known to follow."""
        if self._closed:
            raise ValueError("the file is closed")
        self._pending += plain
        self.plain_bytes += len(plain)
        while len(self._pending) > self._chunk_bytes:
            self._put(self._encrypt(bytes(self._pending[: self._chunk_bytes]), last=False))
            del self._pending[: self._chunk_bytes]
        return len(plain)

    def close(self) -> None:
        """Writes the last chunk; the stream stays open. Idempotent."""
        if not self._closed:
            self._closed = True
            self._put(self._encrypt(bytes(self._pending), last=True))
            self._pending.clear()

    @property
    def sha256(self) -> bytes:
        """Of what was written so far; of the file once closed."""
        return self._hash.digest()

    def _encrypt(self, plain: bytes, *, last: bool) -> bytes:
        if self._count >= _MAX_CHUNKS:
            raise ValueError("a chunked file has at most 2^32 chunks")
        nonce = _NONCE.pack(self._prefix, self._count, last)
        self._count += 1
        return self._cipher.encrypt(nonce, plain, None)

    def _put(self, content: bytes) -> None:
        self._hash.update(content)
        self._stream.write(content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:  # what failed half-way must not look whole
            self.close()


class ChunkReader:
    """Any range of a chunked file, decrypting only the chunks it lies in.

    The last chunk is checked at once, so ``size`` is authentic and a file that was cut is refused. Not for
    use by two threads at a time.
    """

    def __init__(self, source: Bytes, key: DataKey, context: str) -> None:
        """Raises ``NotAuthentic``, ``OSError``."""
        self._source = source
        header = source.read_at(0, _HEADER.size)
        if len(header) != _HEADER.size:
            raise NotAuthentic("no header: this is no sealed file")
        magic, self._chunk_bytes, _, self._prefix = _HEADER.unpack(header)
        if magic != _MAGIC or not 1 <= self._chunk_bytes <= MAX_CHUNK_BYTES:
            raise NotAuthentic("no header: this is no sealed file")
        self._cipher = _file_cipher(key, header, context)
        body = source.size - _HEADER.size
        sealed_bytes = self._chunk_bytes + TAG_BYTES
        self._count = -(-body // sealed_bytes)
        rest = body - (self._count - 1) * sealed_bytes
        # Only an empty file ends with an empty chunk: one content has one length.
        if not 1 <= self._count <= _MAX_CHUNKS or rest < TAG_BYTES + (self._count > 1):
            raise NotAuthentic("the sealed file is cut")
        self.size = body - self._count * TAG_BYTES
        """Plain bytes."""
        self._cached = (-1, b"")
        self._chunk(self._count - 1)

    def read(self, offset: int, length: int) -> bytes:
        """These plain bytes, fewer at the end, none behind it.

        Raises ``ValueError`` for negative arguments, ``NotAuthentic``, ``OSError``.
        """
        if offset < 0 or length < 0:
            raise ValueError("offset and length are not negative")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first, last = offset // self._chunk_bytes, (end - 1) // self._chunk_bytes
        plain = b"".join(self._chunk(number) for number in range(first, last + 1))
        start = offset - first * self._chunk_bytes
        return plain[start : start + end - offset]

    def _chunk(self, number: int) -> bytes:
        if self._cached[0] == number:
            return self._cached[1]
        sealed_bytes = self._chunk_bytes + TAG_BYTES
        sealed = self._source.read_at(_HEADER.size + number * sealed_bytes, sealed_bytes)
        nonce = _NONCE.pack(self._prefix, number, number == self._count - 1)
        try:
            plain = self._cipher.decrypt(nonce, sealed, None)
        except InvalidTag:
            raise NotAuthentic(f"chunk {number} was altered, moved or cut") from None
        self._cached = (number, plain)
        return plain


def _file_cipher(key: DataKey, header: bytes, context: str) -> AESGCM:
    # The header is in the salt and the context in the purpose: neither can be changed without the key.
    return AESGCM(_derive(key.raw, f"chunked file {context}", salt=header))


# ---- Master keys ----


def make_master_key(file: Path) -> None:
    """Writes a fresh key, readable by its owner only. Raises ``InvalidSettings`` if it cannot, or exists."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise InvalidSettings(f"master key {file}: {error.strerror or 'cannot be written'}") from None


def _read_keys(file: Path, data_folder: Path) -> list[bytes]:
    """One key a line, the current one first."""
    where = f"recording.master_key_file {file}"
    path = file.resolve()
    if path.is_relative_to(data_folder.resolve()):
        raise InvalidSettings(f"{where}: lies inside the data folder; keep it apart from what it protects")
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise InvalidSettings(f"{where}: can be read by others; run: chmod 600 {file}")
        lines = path.read_text().split()
    except OSError as error:
        raise InvalidSettings(f"{where}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise InvalidSettings(f"{where}: is no text; write keys as hex or base64") from None
    if not 1 <= len(lines) <= MAX_MASTER_KEYS:
        raise InvalidSettings(f"{where}: holds no key, or more than {MAX_MASTER_KEYS}")
    return [_parse_key(line, where) for line in lines]


def _parse_key(text: str, where: str) -> bytes:
    text = text.strip()
    try:
        if len(text) == 2 * KEY_BYTES:
            key = bytes.fromhex(text)
        else:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidSettings(f"{where}: a master key has {KEY_BYTES} bytes, written as hex or base64")
    if len(set(key)) < KEY_ID_BYTES:
        raise InvalidSettings(f"{where}: a sample, not a random key; `loupe master-key FILE` makes one")
    return key
