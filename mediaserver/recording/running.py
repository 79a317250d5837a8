"""A recording that is being taken: its tracks, and what of them goes to which disk."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from mediaserver.ids import RecordingId, TrackId
from mediaserver.recording.folder import RecordingFolder, sync_folder
from mediaserver.recording.intake import Chunk, Intake
from mediaserver.recording.journal import Journal
from mediaserver.recording.location import Location, Stalled
from mediaserver.recording.manifest import Line, Manifest
from mediaserver.vault import DataKey, Vault


@dataclass(slots=True)
class Ending:
    """How a recording ends."""

    state: str
    deadline: float
    """When its taps are waited for no longer."""
    noted: bool = False
    """Its manifest has been given the line."""


@dataclass(slots=True)
class Running:
    """One recording. Nothing here waits for a disk but through its location."""

    id: RecordingId
    key: DataKey
    manifest: Manifest
    home: Location
    """Where key and manifest lie."""
    where: Location
    """Where journals are written now."""
    start_micros: int
    known: set[TrackId]
    """Tracks that the manifest has."""
    next_seal: float = 0.0
    next_roll: float = 0.0
    ending: Ending | None = None
    """Since it was told to stop."""
    intakes: dict[TrackId, Intake] = field(default_factory=dict)
    _notes: deque[Line] = field(default_factory=deque)
    """Lines of the manifest that wait for its disk."""

    @classmethod
    def open(cls, id: RecordingId, begin: Line, home: Location, vault: Vault) -> Self:
        """Begins it there, or goes on with what another recorder began.

        Raises ``OSError``, ``NotAuthentic``.
        """
        folder = RecordingFolder.of(home.root, id)
        manifest = Manifest(folder, vault)

        def work() -> tuple[DataKey, set[TrackId]]:
            if (folder.path / "key").exists():
                known = {TrackId(line["track"]) for line in manifest.lines() if line["type"] == "track"}
                return folder.open_key(vault), known
            folder.make()
            key = folder.create_key(vault)
            manifest.append({"type": "begin", **begin})
            return key, set()

        key, known = home.do(work)
        return cls(id, key, manifest, home, home, begin["monotonic_micros"], known)

    # ---- Tracks ----

    def intake(self, track: TrackId, source: dict[str, Any], first_number: int) -> Intake:
        """Of this track, which the manifest knows from now on. Raises ``OSError``."""
        found = self.intakes.get(track)
        if found is None:
            found = self.intakes[track] = Intake(track, first_number)
            if track not in self.known:
                self.known.add(track)
                self.note({"type": "track", "track": track, **source})
        return found

    @property
    def live(self) -> bool:
        """Something may still come, or waits for a disk."""
        return any(intake.live for intake in self.intakes.values())

    def waiting_seconds(self, now: float) -> float:
        """How long the oldest of what is not written has waited."""
        since = [i.waiting_since for i in self.intakes.values() if i.waiting_since is not None]
        return max(0.0, now - min(since)) if since else 0.0

    def missed(self) -> int:
        """Records that found a tap full since this was asked last."""
        records = sum(intake.missed for intake in self.intakes.values())
        for intake in self.intakes.values():
            intake.missed = 0
        return records

    def write(self, intakes: Iterable[Intake]) -> int:
        """What these took, into journals: bytes written. Raises ``OSError``; what was not written waits."""
        chunks = [(intake, chunk) for intake in intakes if (chunk := intake.chunk())]
        if not chunks:
            return 0
        root = self.where.root
        results = self.where.do(lambda: [self._put(root, chunk) for _, chunk in chunks])
        written, failure = 0, None
        for (intake, chunk), result in zip(chunks, results, strict=True):
            if isinstance(result, OSError):
                failure = result
                continue
            journal, number = result
            if journal is not chunk.journal:
                self.where.syncer.watch(journal)
            written += len(chunk.content)
            intake.wrote(journal, number)
        if failure is not None:
            raise failure
        return written

    def _put(self, root: Path, chunk: Chunk) -> tuple[Journal, int] | OSError:
        """The journal it went into, and that one's number."""
        if chunk.journal is not None:
            try:
                chunk.journal.append(chunk.content)
            except OSError as error:
                return error
            return chunk.journal, chunk.number
        try:
            journal, number = self._open(root, chunk)
        except OSError as error:
            return error
        try:
            journal.append(chunk.content)
        except OSError as error:
            journal.close()
            with contextlib.suppress(OSError):
                journal.path.unlink()
            return error
        return journal, number

    def _open(self, root: Path, chunk: Chunk) -> tuple[Journal, int]:
        """A new file under the chunk's number, or the next that is free: a disk that stalled may have made
        that file after all, when nobody waited for it any more."""
        folder = RecordingFolder.of(root, self.id)
        folder.make()
        number = chunk.number
        try:
            journal = Journal(folder.journal(chunk.track, number), self.key)
        except FileExistsError:
            number = folder.next_number(chunk.track)
            journal = Journal(folder.journal(chunk.track, number), self.key)
        sync_folder(journal.path.parent)
        return journal, number

    def roll(self) -> None:
        """What follows begins new files."""
        journals = [journal for intake in self.intakes.values() if (journal := intake.roll())]
        self.where.syncer.close(journals)

    def move(self, where: Location) -> None:
        """Journals are written there from now on."""
        self.roll()
        self.where = where

    def end_taps(self) -> None:
        """What was not taken from them is not waited for."""
        for intake in self.intakes.values():
            intake.end_taps()

    def close(self) -> None:
        """Closes taps and files. Idempotent."""
        journals = [journal for intake in self.intakes.values() if (journal := intake.close())]
        self.where.syncer.close(journals)

    # ---- The manifest ----

    def note(self, line: Line) -> None:
        """A line of the manifest; waits, in order, while its disk stalls. Raises ``OSError``."""
        self._notes.append(line)
        self.write_notes()

    def write_notes(self) -> bool:
        """Whether nothing waits any more. Raises ``OSError``; what was not written waits."""
        while self._notes:
            line = self._notes[0]
            try:
                self.home.do(lambda line=line: self.manifest.append(line))  # type: ignore[misc]
            except Stalled:
                return False
            self._notes.popleft()
        return True
