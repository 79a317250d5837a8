"""Sealing: what journals hold becomes playable segments, encrypted, hashed and signed into the manifest.

Idempotent: the manifest says where a track's segments end, and a journal goes only after everything in it is
sealed and was read back. So sealing may be ended at any moment and begun again by anyone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mediaserver.ids import TrackId
from mediaserver.recording.annex import ANNOUNCED
from mediaserver.recording.depacketise import assembler
from mediaserver.recording.folder import RecordingFolder, replacing
from mediaserver.recording.journal import read_journal
from mediaserver.recording.manifest import Line, Manifest
from mediaserver.recording.mux import CONTAINERS, mux, typical_seconds
from mediaserver.recording.parts import LONGEST_SECONDS, Part, Sealed, Splitter
from mediaserver.recording.streams import Capture, Change, StreamKey
from mediaserver.vault import ChunkReader, ChunkWriter, DataKey, FileBytes, NotAuthentic, Vault

HORIZON_SECONDS: Final = 7.0
"""Younger pictures may still be repaired (the plane asks for 6 s)."""
QUIET_SECONDS: Final = 30.0
"""A track silent for so long is sealed without waiting for its next key frame."""
CONTEXT_SECONDS: Final = 25.0
"""Journals this much older than the end of the last segment are kept for the clocks in them."""
_END: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Order:
    """One round over one recording."""

    folder: RecordingFolder
    now: float = _END
    """Seconds on the recording's axis; ``inf`` when nothing will follow."""
    state: str | None = None
    """``sealed`` or ``withdrawn`` ends the recording after this round."""


@dataclass(slots=True)
class Outcome:
    """What a round did."""

    segments: list[Line] = field(default_factory=list)
    damaged: int = 0
    """Chunks of journals that do not open, told for the first time: the rest is sealed, the files kept."""
    unreadable: int = 0
    """Journals of another key, or no journals, told for the first time: kept, not read."""
    begin: Line = field(default_factory=dict)
    """What the recording is of: the manifest's first line."""


def seal(order: Order, vault: Vault) -> Outcome:
    """One round. Raises ``OSError`` when the disk does not take it, ``NotAuthentic`` without the
    recording's key."""
    key = order.folder.open_key(vault)
    manifest = Manifest(order.folder, vault)
    with order.folder.locked():
        return _seal(order, key, manifest)


def _seal(order: Order, key: DataKey, manifest: Manifest) -> Outcome:
    lines = manifest.lines()
    outcome = Outcome(begin=next((line for line in lines if line["type"] == "begin"), {}))
    if any(line["type"] == "end" for line in lines):
        return outcome
    for line in lines:
        if line["type"] == "track":
            _Track(order, key, manifest, lines, line, outcome).seal()
    if order.state is not None:
        manifest.append({"type": "end", "state": order.state, "announces": list(ANNOUNCED)})
    return outcome


class _Track:
    """One track's round."""

    def __init__(
        self,
        order: Order,
        key: DataKey,
        manifest: Manifest,
        lines: Sequence[Line],
        track: Line,
        outcome: Outcome,
    ) -> None:
        self._order = order
        self._key = key
        self._manifest = manifest
        self._track = track
        self._outcome = outcome
        self._id = TrackId(track["track"])
        self._done = [line for line in lines if line["type"] == "segment" and line["track"] == self._id]
        start = next(line["monotonic_micros"] for line in lines if line["type"] == "begin")
        self._capture = Capture(track["clock_rate"], start, sound=track["kind"] == "audio")
        self._told = {(line["name"], line["journal"], line["value"]) for line in lines if line.get("journal")}
        self._files: list[tuple[Path, float]] = []
        """Whole journals that were read, and the last arrival in each."""
        self._shift = 0

    def seal(self) -> None:
        """Reads, splits, writes, and lets go what is written."""
        self._read()
        final = self._order.now == _END
        horizon = _END if final else self._order.now - HORIZON_SECONDS
        sealed = self._sealed()
        codec = self._track["codec"]
        changes = self._capture.changes
        splitter = Splitter(assembler(codec), sealed, changes, self._track["kind"] == "video")
        splitter.take(group for group in self._capture.groups() if group.at <= horizon)
        parts = [part for part in splitter.parts if part.pictures]
        if parts and not final and not _ended(parts[-1], horizon):
            parts.pop()
        since = sealed.until if sealed else -1.0
        for part in parts:
            told = [change for change in changes if since < change.at <= part.end]
            since = self._write(part, told)
        self._forget(since)

    def _read(self) -> None:
        shift = self._done[-1]["last"]["shift"] if self._done else 0
        self._capture.shift(shift)
        for path in _journal_files(self._order.folder.places, self._id):
            try:
                chunks = read_journal(path, self._key)
            except NotAuthentic:
                if self._tell("journal_unreadable", path, 1):
                    self._outcome.unreadable += 1
                continue
            self._capture.shift(shift)
            for chunk in chunks.records:
                self._capture.feed(chunk)
            shift = self._capture.worker_shift
            if chunks.damaged:
                if self._tell("journal_damaged", path, chunks.damaged):
                    self._outcome.damaged += chunks.damaged
            else:
                self._files.append((path, self._capture.newest))
        self._shift = shift

    def _tell(self, name: str, path: Path, value: int) -> bool:
        """An event of the manifest for what a journal lost, once; whether it is new."""
        if (name, path.name, value) in self._told:
            return False
        at = round(self._capture.newest, 6)
        self._manifest.append(
            {"type": "event", "at": at, "name": name, "track": self._id, "journal": path.name, "value": value}
        )
        return True

    def _sealed(self) -> Sealed | None:
        if not self._done:
            return None
        last = self._done[-1]
        end = last["last"]
        key = StreamKey(end["publication"], end["encoding"], end["ssrc"])
        return Sealed(key, end["rtp"], end["at"])

    def _write(self, part: Part, changes: Sequence[Change]) -> float:
        """One segment; answers up to where the track is sealed now."""
        codec = self._track["codec"]
        container = CONTAINERS[codec.upper()]
        last_seconds = typical_seconds(codec, part.pictures)
        plain = mux(codec, part.pictures, last_seconds)
        number = self._done[-1]["number"] + 1 if self._done else 0
        sha256, size = self._put(number, container.suffix, plain)
        last = part.pictures[-1]
        line: dict[str, Any] = {
            "type": "segment",
            "track": self._id,
            "number": number,
            "suffix": container.suffix,
            "media_type": container.media_type,
            "start": round(part.start, 6),
            "duration": round(part.end - part.start + last_seconds, 6),
            "size": len(plain),
            "sealed_size": size,
            "sha256": sha256,
            "plain_sha256": hashlib.sha256(plain).hexdigest(),
            "encoding": part.pictures[0].key.encoding,
            "dimensions": list(part.pictures[0].unit.size or ()),
            "pictures": len(part.pictures),
            "packets": part.packets,
            "lost": part.lost,
            "gaps": [[round(gap.start, 6), round(gap.end, 6), gap.reason] for gap in part.gaps],
            "keyframes": self._keyframes(part),
            "changes": [[round(change.at, 6), change.name, change.value] for change in changes],
            "last": {
                **last.key._asdict(),
                "rtp": last.rtp & 0xFFFFFFFF,
                "at": round(last.at, 6),
                "shift": self._shift,
            },
        }
        self._manifest.append(line)
        self._done.append(line)
        self._outcome.segments.append(line)
        return float(line["last"]["at"])

    def _keyframes(self, part: Part) -> list[float]:
        if self._track["kind"] != "video":
            return []
        return [round(picture.at, 6) for picture in part.pictures if picture.unit.keyframe]

    def _put(self, number: int, suffix: str, plain: bytes) -> tuple[str, int]:
        """Into the first location that takes it: hash and size of what lies on the disk."""
        *places, last = self._order.folder.places
        for place in places:
            try:
                return self._encrypt(place.segment(self._id, number, suffix), number, plain)
            except OSError:
                continue
        return self._encrypt(last.segment(self._id, number, suffix), number, plain)

    def _encrypt(self, path: Path, number: int, plain: bytes) -> tuple[str, int]:
        """Writes a segment's file and reads it back: hash and size of what lies on the disk."""
        context = self._order.folder.segment_context(self._id, number)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as descriptor, os.fdopen(os.dup(descriptor), "wb") as stream:
            with ChunkWriter(stream, self._key, context) as writer:
                writer.write(plain)
            written = writer.sha256
            stream.flush()
        with FileBytes(path) as source:
            # Every chunk is authentic or raises, so what opens to the same is the same.
            if ChunkReader(source, self._key, context).read(0, len(plain)) != plain:
                raise OSError(f"segment {number} does not read back as it was written")
            return written.hex(), source.size

    def _forget(self, until: float) -> None:
        """Whole journals of which everything is sealed go, the clocks' context excepted."""
        limit = _END if self._order.now == _END else until - CONTEXT_SECONDS
        for path, newest in self._files:
            if newest <= limit:
                path.unlink(missing_ok=True)


def _ended(part: Part, horizon: float) -> bool:
    return horizon - part.end > QUIET_SECONDS or part.end - part.start >= LONGEST_SECONDS


def _journal_files(locations: Sequence[RecordingFolder], track: TrackId) -> Iterator[Path]:
    found = [file for location in locations for file in location.journals().get(track, [])]
    for _, path in sorted(found):
        yield path
