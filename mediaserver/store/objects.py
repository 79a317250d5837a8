"""Object storage for sealed segments: a bucket of an S3-compatible store, or a folder on other disks.

What is put there is encrypted already; a segment counts as kept only after it was read back whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mediaserver.config import Storage
from mediaserver.errors import InvalidSettings, LoupeError
from mediaserver.ids import RecordingId

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CONNECT_SECONDS: Final = 10
READ_BACK_BYTES: Final = 4 * 1024 * 1024


class StorageFailed(LoupeError):
    """The object storage cannot be reached, refuses, or does not hold what it was given."""

    code = "storage_failed"
    retryable = True
    default = "the object storage cannot do this now"


class Erased(LoupeError):
    """Whatever is put there was, or is being, destroyed for good."""

    code = "erased"
    default = "nothing is put where a recording is destroyed"


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """One bucket or folder. Calls block: they are for threads. All raise ``StorageFailed``."""

    store: ObjectStore
    _erased: set[str] = field(default_factory=set)
    """Prefixes; what a former process destroyed nobody puts again."""
    _putting: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, settings: Storage) -> Objects | None:
        """None when none is configured. Raises ``InvalidSettings``."""
        if settings.url is None:
            return None
        try:
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError:
            raise InvalidSettings("storage.url: object storage needs the extra `s3` (obstore)") from None
        options: dict[str, Any] = {}
        if settings.url.startswith("s3:"):
            given = {
                "endpoint": settings.endpoint,
                "region": settings.region,
                "access_key_id": settings.access_key_id,
                "secret_access_key": (
                    None
                    if settings.secret_access_key is None
                    else settings.secret_access_key.get_secret_value()
                ),
            }
            options = {
                "config": {name: value for name, value in given.items() if value is not None},
                "client_options": {
                    "allow_http": settings.allow_http,
                    "connect_timeout": f"{CONNECT_SECONDS}s",
                },
            }
        try:
            return cls(from_url(settings.url, **options))
        except (BaseError, ValueError, OSError) as error:
            raise InvalidSettings(f"storage: cannot be used: {type(error).__name__}") from None

    def put(self, key: str, content: Path | bytes, sha256: bytes) -> None:
        """Uploads what has this hash, and reads it back. Raises ``Erased`` below what was."""
        import obstore

        with self._putting:
            if any(key.startswith(f"{prefix}/") for prefix in self._erased):
                raise Erased
            with _reasoned():
                obstore.put(self.store, key, content)
            if self.sha256(key) != sha256:
                raise StorageFailed("what was read back is not what was put")

    def sha256(self, key: str) -> bytes:
        """Of the object as it lies there, read whole."""
        digest, offset, size = hashlib.sha256(), 0, self.size(key)
        while offset < size:
            piece = self.read(key, offset, min(READ_BACK_BYTES, size - offset))
            digest.update(piece)
            offset += len(piece)
        return digest.digest()

    def size(self, key: str) -> int:
        """In bytes."""
        import obstore

        with _reasoned():
            return int(obstore.head(self.store, key)["size"])

    def read(self, key: str, offset: int, length: int) -> bytes:
        """A range of an object."""
        import obstore

        if length == 0:
            return b""
        with _reasoned():
            content = bytes(obstore.get_range(self.store, key, start=offset, length=length))
        if not content:
            raise StorageFailed("the object is shorter than it was")
        return content

    def delete(self, key: str) -> None:
        """One object, if it is there."""
        import obstore
        from obstore.exceptions import NotFoundError

        with _reasoned(), contextlib.suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self.store, key)

    def refuse_below(self, prefix: str) -> None:
        """Before a deletion: no put lands below the prefix once this has returned."""
        with self._putting:
            self._erased.add(prefix)

    def delete_all(self, prefix: str) -> int:
        """Every object below the prefix; how many. None of them is left."""
        import obstore

        with _reasoned():
            paths = [one["path"] for page in obstore.list(self.store, prefix) for one in page]
            for path in paths:
                obstore.delete(self.store, path)
            if any(page for page in obstore.list(self.store, prefix)):
                raise StorageFailed("objects are left after their deletion")
        return len(paths)


@dataclass(frozen=True, slots=True)
class ObjectBytes:
    """An object as ``vault.ChunkReader`` reads it: only the chunks that are needed cross the network."""

    objects: Objects
    key: str
    size: int

    @classmethod
    def open(cls, objects: Objects, key: str) -> ObjectBytes:
        """Raises ``StorageFailed``."""
        return cls(objects, key, objects.size(key))

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes, or fewer at the end. Raises ``StorageFailed``."""
        return self.objects.read(self.key, offset, max(0, min(length, self.size - offset)))


def object_key(recording: RecordingId, file: Path, folder: Path) -> str:
    """Where a file of a recording's folder lies in the store: the same names, made by this server."""
    return f"recordings/{recording}/{file.relative_to(folder).as_posix()}"


@contextmanager
def _reasoned() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        # Its text may hold the endpoint and the bucket.
        raise StorageFailed(f"the object storage failed: {type(error).__name__}") from error
