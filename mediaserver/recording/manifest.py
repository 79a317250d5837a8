"""A recording's manifest: JSON lines, each signed and carrying the hash of the line before.

The folder is the truth about a recording; a database is an index of it. Lines hold opaque ids, never names.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EBADMSG
from pathlib import Path
from typing import Any, Final

from mediaserver.recording.folder import FILE_MODE, RecordingFolder
from mediaserver.vault import NotAuthentic, Vault

_FIRST: Final = "0" * 64
MAX_LINE_BYTES: Final = 1024 * 1024
END_BYTES: Final = 4096
"""More than the lines from the end of a recording on have."""

Line = dict[str, Any]
Moved = Callable[[Path], bytes]
"""The SHA-256 of a file of the folder that was moved to a store.

Raises ``FileNotFoundError``, ``LoupeError``.
"""


class Altered(NotAuthentic):
    """Names the first thing that is not as it was written."""

    code = "altered"
    default = "the recording was altered"


@dataclass(frozen=True, slots=True)
class End:
    """What the audit is told when a recording has ended, so that nothing can be cut off it unseen."""

    state: str
    head: str
    """Hash of the line that ends it."""
    segments: int


class Manifest:
    """Appended to by the recorder and its sealer, one line at a time."""

    def __init__(self, folder: RecordingFolder, vault: Vault) -> None:
        self._folder = folder
        self._vault = vault

    def append(self, line: Line) -> None:
        """Signed, chained, and on the disk when it returns. Raises ``OSError``."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._folder.manifest, flags, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size, previous = _tail(descriptor)
            chained = {"previous": previous, **line}
            signature = self._vault.sign(_canonical(chained), _context(self._folder))
            content = _canonical({**chained, "signature": signature.hex()}) + b"\n"
            # What a crash left of a line is written over.
            os.ftruncate(descriptor, size)
            os.pwrite(descriptor, content, size)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def ended(self) -> bool:
        """Whether the end is among its last lines; the others are not read. Raises ``OSError``."""
        return any(line.get("type") == "end" for line in self._last())

    def end(self) -> End | None:
        """Its end, once it has one; all lines are read, unchecked. Raises ``OSError``."""
        segments = 0
        for line, raw in _parsed(self._folder.manifest):
            segments += line["type"] == "segment"
            if line["type"] == "end":
                return _end(line, raw, segments)
        return None

    def annex(self, kind: str) -> Line | None:
        """Of the lines behind the end, the one about this kind; None while there is none. Raises
        ``OSError``."""
        annexes = (line for line in self._last() if line.get("type") == "annex")
        return next((line for line in annexes if line.get("kind") == kind), None)

    def _last(self) -> Iterator[Line]:
        with self._folder.manifest.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - END_BYTES))
            *lines, _ = stream.read().split(b"\n")
        for raw in lines:
            with contextlib.suppress(ValueError):  # the first may be cut
                line = json.loads(raw)
                if isinstance(line, dict):
                    yield line

    def lines(self) -> list[Line]:
        """All whole lines, unchecked. Raises ``OSError``."""
        return [line for line, _ in _parsed(self._folder.manifest)]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found whole."""

    lines: int
    segments: int
    head: str
    """Hash of the last line: kept elsewhere it shows later that nothing was cut off."""
    end: End | None
    """What the line says that ended the recording."""
    awaited: tuple[str, ...]
    """Annexes that the end announces and no line is about: not sealed yet, or cut off."""

    @property
    def closed(self) -> bool:
        """A line says that the recording ended."""
        return self.end is not None


def verify(folder: RecordingFolder, vault: Vault, moved: Moved | None = None) -> Verified:
    """Checks chain, signatures and the hash of every segment and annex; asks ``moved`` for segments that lie
    here no more.

    Raises ``Altered`` that names the first altered line or file, ``OSError``.
    """
    head, segments, lines = _FIRST, 0, 0
    end: End | None = None
    awaited: list[str] = []
    for line, raw in _authentic(folder, vault):
        lines += 1
        head = hashlib.sha256(raw).hexdigest()
        match line["type"]:
            case "segment":
                _check_segment(folder, line, moved)
                segments += 1
            case "end":
                end, awaited = _end(line, raw, segments), list(line.get("announces", ()))
            case "annex":
                _check_annex(folder, line)
                awaited = [kind for kind in awaited if kind != line["kind"]]
    return Verified(lines, segments, head, end, tuple(awaited))


def authentic_lines(folder: RecordingFolder, vault: Vault) -> tuple[list[Line], End | None]:
    """All whole lines and the recording's end: chain and signatures are checked, files are not read.

    Raises ``Altered`` that names the first altered line, ``OSError``.
    """
    lines: list[Line] = []
    segments, end = 0, None
    for line, raw in _authentic(folder, vault):
        lines.append(line)
        segments += line["type"] == "segment"
        if line["type"] == "end":
            end = _end(line, raw, segments)
    return lines, end


def _authentic(folder: RecordingFolder, vault: Vault) -> Iterator[tuple[Line, bytes]]:
    previous = _FIRST
    for number, (line, raw) in enumerate(_parsed(folder.manifest, strict=True), 1):
        content = {name: value for name, value in line.items() if name != "signature"}
        if line.get("previous") != previous:
            raise Altered(f"manifest line {number} does not follow the line before")
        try:
            vault.check(bytes.fromhex(line.get("signature", "")), _canonical(content), _context(folder))
        except (NotAuthentic, ValueError, TypeError):
            raise Altered(f"manifest line {number} is not as it was signed") from None
        yield line, raw
        previous = hashlib.sha256(raw).hexdigest()
    if previous == _FIRST:
        raise Altered("the manifest is empty")


def _end(line: Line, raw: bytes, segments: int) -> End:
    return End(line["state"], hashlib.sha256(raw).hexdigest(), segments)


def _check_segment(folder: RecordingFolder, line: Line, moved: Moved | None) -> None:
    name = f"segment {line['number']} of track {line['track']}"
    path = folder.segment_file(line["track"], line["number"], line["suffix"])
    try:
        found = sha256_of(path) if moved is None or path.exists() else moved(path)
    except FileNotFoundError:
        raise Altered(f"{name} is missing") from None
    if found.hex() != line["sha256"]:
        raise Altered(f"{name} was altered")


def _check_annex(folder: RecordingFolder, line: Line) -> None:
    if line["sha256"] is None:
        return  # there was nothing to seal
    name = f"the {line['kind']} annex"
    try:
        found = sha256_of(folder.annex(line["kind"]))
    except FileNotFoundError:
        raise Altered(f"{name} is missing") from None
    if found.hex() != line["sha256"]:
        raise Altered(f"{name} was altered")


def sha256_of(path: Path) -> bytes:
    """Of a file. Raises ``OSError``."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _context(folder: RecordingFolder) -> str:
    return f"manifest/{folder.id}"


def _canonical(line: Line) -> bytes:
    """The bytes of a line: what is signed, and what is written with its signature."""
    return json.dumps(line, sort_keys=True, separators=(",", ":")).encode()


def _tail(descriptor: int) -> tuple[int, str]:
    """Where the next line begins, and the hash of the last whole one.

    Raises ``OSError`` where the last line is longer than any that was written: nothing may be cut off there.
    """
    end = os.fstat(descriptor).st_size
    start = max(0, end - MAX_LINE_BYTES)
    content = os.pread(descriptor, end - start, start)
    whole = content.rfind(b"\n") + 1
    begin = content.rfind(b"\n", 0, max(0, whole - 1)) + 1
    if start and not begin:
        raise OSError(EBADMSG, "the manifest does not end in lines")
    if not whole:
        return 0, _FIRST
    return start + whole, hashlib.sha256(content[begin:whole]).hexdigest()


def _parsed(path: Path, *, strict: bool = False) -> Iterator[tuple[Line, bytes]]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for number, raw in enumerate(content.splitlines(keepends=True), 1):
        if not raw.endswith(b"\n"):
            return  # a crash cut it; it was never confirmed
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict) or "type" not in line:
            if strict:
                raise Altered(f"manifest line {number} is no line of a manifest")
            continue
        yield line, raw
