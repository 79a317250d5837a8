"""Where a recording's parts lie. Every name is made here from ids of our own; nothing a client says is in
one."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mediaserver.ids import RecordingId, TrackId
from mediaserver.vault import DataKey, Vault

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_ID: Final = re.compile(r"[a-z][A-Za-z0-9_-]{1,63}\Z")
_JOURNAL: Final = re.compile(r"([a-z][A-Za-z0-9_-]{1,63})\.(\d{1,9})\.journal\Z")


def checked(id: str) -> str:
    """An id that may be part of a path. Raises ``ValueError``."""
    if not _ID.match(id):
        raise ValueError("no id of a recording or track")
    return id


@dataclass(frozen=True, slots=True)
class RecordingFolder:
    """One recording's folder. Key and manifest lie in it; of journals and segments some may lie in folders of
    the same name at further locations, where its own had no room."""

    path: Path
    elsewhere: tuple[Path, ...] = ()
    """Those further folders, whether or not they are there."""

    @classmethod
    def of(cls, root: Path, recording: RecordingId) -> RecordingFolder:
        """Raises ``ValueError`` for what is no id."""
        return cls(root / checked(recording))

    @classmethod
    def find(cls, roots: Sequence[Path], recording: RecordingId) -> RecordingFolder:
        """Where its key lies; the first location while it has none. Raises ``ValueError`` for what is no
        id."""
        places = [root / checked(recording) for root in roots]
        home = next((place for place in places if (place / "key").exists()), places[0])
        return cls(home, tuple(place for place in places if place != home))

    @property
    def places(self) -> tuple[RecordingFolder, ...]:
        """Its own folder, then those elsewhere, each by itself."""
        return (RecordingFolder(self.path), *map(RecordingFolder, self.elsewhere))

    @property
    def id(self) -> RecordingId:
        """The recording's."""
        return RecordingId(self.path.name)

    def make(self) -> None:
        """With its parts, readable by the owner alone. Raises ``OSError``."""
        for part in (self.path.parent, self.path, self.path / "journal", self.path / "segments"):
            part.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    @property
    def manifest(self) -> Path:
        """Signed lines; the truth about the recording."""
        return self.path / "manifest"

    def annex(self, kind: str) -> Path:
        """What was sealed after the end. Raises ``ValueError`` for what is no name of ours."""
        return self.path / f"{checked(kind)}.enc"

    # ---- Key ----

    def create_key(self, vault: Vault) -> DataKey:
        """A fresh data key, wrapped onto the disk before anything is encrypted with it. Raises
        ``OSError``."""
        key = vault.new_data_key()
        write_whole(self.path / "key", vault.wrap(key, self._context))
        return key

    def open_key(self, vault: Vault) -> DataKey:
        """Raises ``NotAuthentic``, ``OSError``."""
        return vault.unwrap((self.path / "key").read_bytes(), self._context)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time seals it, also where a worker outlived its recorder. Raises ``OSError``."""
        descriptor = os.open(self.path / "key", os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @property
    def _context(self) -> str:
        return f"recording/{self.id}"

    # ---- Journals and segments ----

    def journal(self, track: TrackId, number: int) -> Path:
        """Raises ``ValueError`` for what is no id."""
        return self.path / "journal" / f"{checked(track)}.{number}.journal"

    def journals(self) -> dict[TrackId, list[tuple[int, Path]]]:
        """Journals that are there, by track, oldest first."""
        return _journals(self.path / "journal")

    @property
    def kept(self) -> Path:
        """Journals that were set apart, under their names."""
        return self.path / "kept"

    def next_number(self, track: TrackId) -> int:
        """Greater than that of any journal of the track, those set apart included."""
        found = (*_journals(self.path / "journal").get(track, []), *_journals(self.kept).get(track, []))
        return max((number for number, _ in found), default=-1) + 1

    def segment(self, track: TrackId, number: int, suffix: str) -> Path:
        """Where it is written. Raises ``ValueError`` for what is no id."""
        return self.path / "segments" / checked(track) / f"{number:06d}.{suffix}.enc"

    def segment_file(self, track: TrackId, number: int, suffix: str) -> Path:
        """Where it lies now; its own place if it lies nowhere. Raises ``ValueError`` for what is no id."""
        files = [place.segment(track, number, suffix) for place in self.places]
        return next((file for file in files if file.exists()), files[0])

    def segment_context(self, track: TrackId, number: int) -> str:
        """What a segment's encryption is bound to."""
        return f"segment/{self.id}/{track}/{number}"


def _journals(folder: Path) -> dict[TrackId, list[tuple[int, Path]]]:
    found: dict[TrackId, list[tuple[int, Path]]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _JOURNAL.match(path.name)
        if match:
            found.setdefault(TrackId(match[1]), []).append((int(match[2]), path))
    return {track: sorted(files) for track, files in found.items()}


def folders(*roots: Path) -> Iterator[RecordingFolder]:
    """All recordings under these roots."""
    for root in roots:
        for path in sorted(root.iterdir()) if root.is_dir() else ():
            if path.is_dir() and _ID.match(path.name) and (path / "key").exists():
                yield RecordingFolder(path, tuple(one / path.name for one in roots if one != root))


def write_whole(path: Path, content: bytes) -> None:
    """All or nothing, on the disk when it returns. Raises ``OSError``."""
    with replacing(path) as descriptor:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]


@contextmanager
def replacing(path: Path) -> Iterator[int]:
    """A descriptor whose content takes the place of ``path`` when the block ends well. Raises ``OSError``."""
    draft = path.with_name(path.name + ".part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        yield descriptor
        os.fdatasync(descriptor)
    except BaseException:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """A new name survives a loss of power. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
