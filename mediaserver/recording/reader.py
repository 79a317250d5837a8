"""A recording as it can be read: tracks, segments, events, and any range of a segment's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

from mediaserver.ids import ParticipantId, ProcedureId, RecordingId, RoomId, TrackId
from mediaserver.recording.folder import RecordingFolder
from mediaserver.recording.manifest import Altered, Line, Manifest, sha256_of
from mediaserver.vault import ChunkReader, DataKey, FileBytes, NotAuthentic, Vault

State = Literal["recording", "sealing", "sealed", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Track:
    """One source, kept over its publisher's reconnects."""

    id: TrackId
    kind: Literal["audio", "video"]
    source_type: str
    codec: str
    participant: ParticipantId
    label_sealed: bytes
    """For ``Vault.open_field`` with the context ``track/<id>/label``; empty without."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One sealed file that plays by itself, its own time beginning at 0; all seconds here are on the axis."""

    track: TrackId
    number: int
    start_seconds: float
    duration_seconds: float
    media_type: str
    suffix: str
    size: int
    """Plain bytes."""
    sha256: str
    """Of the encrypted file."""
    encoding: int
    dimensions: tuple[int, int] | None
    gaps: tuple[tuple[float, float, str], ...]
    keyframes: tuple[float, ...]
    pictures: int
    """Or packets of sound."""
    packets: int
    lost: int


@dataclass(frozen=True, slots=True)
class Event:
    """A join, a leave, a change of layers, a pause, a withdrawal; ids are opaque."""

    at_seconds: float
    name: str
    track: TrackId | None
    value: int | str | None


class Recording:
    """Read-only; open it anew to see what was sealed since."""

    altered: str | None = None
    """What is not as it was signed, where that was checked: ``mediaserver/review/opening.py``."""

    def __init__(self, folder: RecordingFolder, vault: Vault, key: DataKey, lines: list[Line]) -> None:
        self._folder = folder
        self._key = key
        begin = next((line for line in lines if line["type"] == "begin"), None)
        if begin is None:
            raise NotAuthentic("the manifest has no beginning")
        self.id = RecordingId(folder.id)
        self.room = RoomId(vault.open_field(bytes.fromhex(begin["room"]), f"recording/{folder.id}/room"))
        self.procedure = ProcedureId(begin["procedure"])
        self.started_at = datetime.fromtimestamp(begin["unix_micros"] / 1_000_000, UTC)
        self.state = _state(lines)
        self.tracks = tuple(_track(line) for line in lines if line["type"] == "track")
        self._segments = tuple(_segment(line) for line in lines if line["type"] == "segment")
        self.events = tuple(sorted(_events(lines), key=lambda event: event.at_seconds))

    @classmethod
    def open(cls, folder: Path, vault: Vault, elsewhere: Sequence[Path] = ()) -> Recording:
        """With its folders at further locations. Raises ``NotAuthentic`` without its key or manifest,
        ``OSError``."""
        place = RecordingFolder(folder, tuple(elsewhere))
        return cls(place, vault, place.open_key(vault), Manifest(place, vault).lines())

    @property
    def duration_seconds(self) -> float:
        """From the start to the end of the last segment."""
        return max((s.start_seconds + s.duration_seconds for s in self._segments), default=0.0)

    def segments(self, track: Track) -> tuple[Segment, ...]:
        """Of one track, in order."""
        return tuple(segment for segment in self._segments if segment.track == track.id)

    def read(self, segment: Segment, offset: int, length: int) -> bytes:
        """Plain bytes, decrypting only the chunks they lie in. Raises ``NotAuthentic``, ``OSError``."""
        path = self._folder.segment_file(segment.track, segment.number, segment.suffix)
        context = self._folder.segment_context(segment.track, segment.number)
        with FileBytes(path) as source:
            return ChunkReader(source, self._key, context).read(offset, length)

    def sha256(self, segment: Segment) -> bytes:
        """Of the encrypted file as it lies there, read whole. Raises ``OSError``."""
        return sha256_of(self._folder.segment_file(segment.track, segment.number, segment.suffix))

    def check(self, segment: Segment) -> None:
        """Whether its file is the one that was sealed. Raises ``Altered``, ``OSError``."""
        if self.sha256(segment).hex() != segment.sha256:
            raise Altered(f"segment {segment.number} of track {segment.track} was altered")

    def check_manifest(self) -> None:
        """Raises ``Altered`` if that was found when it was opened."""
        if self.altered is not None:
            raise Altered(self.altered)


def _state(lines: list[Line]) -> State:
    for line in reversed(lines):
        if line["type"] == "end":
            return cast(State, line["state"])
        if line["type"] == "stopped":
            return "sealing"
    return "recording"


def _track(line: Line) -> Track:
    return Track(
        id=TrackId(line["track"]),
        kind=line["kind"],
        source_type=line["source_type"],
        codec=line["codec"],
        participant=ParticipantId(line["participant"]),
        label_sealed=bytes.fromhex(line["label"]),
    )


def _segment(line: Line) -> Segment:
    return Segment(
        track=TrackId(line["track"]),
        number=line["number"],
        start_seconds=line["start"],
        duration_seconds=line["duration"],
        media_type=line["media_type"],
        suffix=line["suffix"],
        size=line["size"],
        sha256=line["sha256"],
        encoding=line["encoding"],
        dimensions=(line["dimensions"][0], line["dimensions"][1]) if line["dimensions"] else None,
        gaps=tuple((start, end, reason) for start, end, reason in line["gaps"]),
        keyframes=tuple(line["keyframes"]),
        pictures=line["pictures"],
        packets=line["packets"],
        lost=line["lost"],
    )


def _events(lines: list[Line]) -> Iterable[Event]:
    for line in lines:
        if line["type"] == "event":
            yield Event(line["at"], line["name"], line.get("track"), line.get("value"))
        elif line["type"] == "segment":
            for at, name, value in line["changes"]:
                yield Event(at, name, TrackId(line["track"]), value)
