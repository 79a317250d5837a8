"""A track's journals as a round of sealing reads them: some minutes at a time, and none is let go that gave
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mediaserver.ids import TrackId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.journal import Chunks, read_journal
from mediaserver.recording.manifest import Line
from mediaserver.recording.streams import Capture
from mediaserver.vault import DataKey, NotAuthentic


@dataclass(frozen=True, slots=True)
class Read:
    """A journal that was read to its end. Arrivals are on the recording's axis."""

    path: Path
    first: float | None
    """Arrival of its first packet of media; None where it has none."""
    newest: float
    """Of the last record so far."""
    damaged: bool

    def has(self, arrivals: Iterable[float]) -> bool:
        """Whether any of these is of one of its packets."""
        return self.first is not None and any(self.first <= one <= self.newest for one in arrivals)


@dataclass(slots=True)
class Reading:
    """What was read of a track's journals, oldest first."""

    folder: RecordingFolder
    key: DataKey
    track: TrackId
    tell: Callable[[str, Path, int, float], None]
    """What a journal lost: a name, the journal, how much, and when on the axis."""
    capture: Capture
    files: list[Read] = field(default_factory=list)
    whole: bool = True
    """Nothing is left to be read."""

    def read(self, since: float | None, seconds: float) -> None:
        """As much as ends so many seconds behind ``since``, or behind the first packet. Raises
        ``OSError``."""
        paths = list(self._paths())
        shift = self.capture.worker_shift
        for path in paths:
            if since is not None and self.capture.newest > since + seconds:
                self.whole = False
                return
            chunks = self._open(path)
            if chunks is None:
                continue
            self.capture.shift(shift)
            self.capture.first = None
            for chunk in chunks.records:
                self.capture.feed(chunk)
            shift = self.capture.worker_shift
            since = self.capture.first if since is None else since
            if chunks.damaged:
                self.tell("journal_damaged", path, chunks.damaged, self.capture.newest)
            self.files.append(Read(path, self.capture.first, self.capture.newest, chunks.damaged > 0))

    def let_go(self, until: float, behind: float, gave: Sequence[float], before: float | None) -> bool:
        """Of whole journals: those older than ``behind`` go, and of those that end by ``until`` are kept
        apart which gave nothing, as are damaged ones. ``gave`` are arrivals of what was placed now,
        ``before`` of what was placed last before. Whether any went. Raises ``OSError``."""
        gone = False
        # The newest may still be written to.
        for file in self.files if behind == float("inf") else self.files[:-1]:
            empty = file.first is None or (before is not None and file.first <= before)
            fruitless = not empty and not file.has(gave)
            if (file.newest <= until and fruitless) or (file.newest <= behind and file.damaged):
                keep(file.path)
            elif file.newest <= behind:
                file.path.unlink(missing_ok=True)
            else:
                continue
            gone = True
        return gone

    def _open(self, path: Path) -> Chunks | None:
        try:
            return read_journal(path, self.key)
        except NotAuthentic:
            self.tell("journal_unreadable", path, 1, self.capture.newest)
            keep(path)
            return None

    def _paths(self) -> Iterator[Path]:
        found = [file for place in self.folder.places for file in place.journals().get(self.track, [])]
        for _, path in sorted(found):
            yield path


def keep(path: Path) -> None:
    """Sets a journal apart, under its name: no round reads it any more, and nothing is lost. Raises
    ``OSError``."""
    apart = RecordingFolder(path.parent.parent).kept
    apart.mkdir(mode=0o700, exist_ok=True)
    path.replace(apart / path.name)


def keep_all(folder: RecordingFolder, track: TrackId) -> int:
    """All journals of this track; how many. Raises ``OSError``."""
    found = [path for place in folder.places for _, path in place.journals().get(track, [])]
    for path in found:
        keep(path)
    return len(found)


def without_track(folder: RecordingFolder, lines: Iterable[Line]) -> set[TrackId]:
    """Tracks of journals that no line of the manifest knows."""
    known = {line["track"] for line in lines if line["type"] == "track"}
    return {track for place in folder.places for track in place.journals() if track not in known}
