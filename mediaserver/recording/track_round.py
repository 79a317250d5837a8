"""One track's round of sealing: its journals are read, split into parts, and written as segments.

What no segment can be made of costs itself alone. The manifest says from when to when, the round goes on
behind it, and the journals that gave nothing are kept apart.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mediaserver.ids import TrackId
from mediaserver.recording.depacketise import Malformed, assembler
from mediaserver.recording.folder import RecordingFolder, replacing
from mediaserver.recording.journals import Reading, keep_all
from mediaserver.recording.manifest import Line, Manifest
from mediaserver.recording.mux import CONTAINERS, mux, typical_seconds
from mediaserver.recording.parts import LONGEST_SECONDS, Part, Sealed, Splitter
from mediaserver.recording.streams import Capture, Change, StreamKey
from mediaserver.vault import ChunkReader, ChunkWriter, DataKey, FileBytes

HORIZON_SECONDS: Final = 7.0
"""Younger pictures may still be repaired (the plane asks for 6 s)."""
QUIET_SECONDS: Final = 30.0
"""A track silent for so long is sealed without waiting for its next key frame."""
CONTEXT_SECONDS: Final = 25.0
"""Journals this much older than the end of the last segment are kept for the clocks in them."""
PASS_SECONDS: Final = LONGEST_SECONDS + 3 * 60.0
"""So much of a track is in memory at once; in it a part ends, whatever it holds."""
TAIL_SECONDS: Final = 0.3
"""Less at the end of a track is what a kill costs, and no more is said of it."""
END: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Order:
    """One round over one recording."""

    folder: RecordingFolder
    now: float = END
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
    unsealable: int = 0
    """Spans that no segment could be made of, told for the first time: their journals are kept."""
    begin: Line = field(default_factory=dict)
    """What the recording is of: the manifest's first line."""


class TrackRound:
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
        ours = [line for line in lines if line.get("track") == self._id]
        self._segments = sum(line["type"] == "segment" for line in ours)
        self._done: Line | None = next((line for line in reversed(ours) if "last" in line), None)
        """The segment, or what could be none, where sealing stands."""
        self._start = next(line["monotonic_micros"] for line in lines if line["type"] == "begin")
        self._told = {_told(line) for line in ours if line["type"] == "event"}

    def seal(self) -> None:
        """Reads, splits, writes, and lets go what is written. Raises ``OSError``."""
        seconds = PASS_SECONDS
        while True:
            reading = self._read(seconds)
            before = self._done
            gone = self._pass(reading)
            if reading.whole:
                return
            # Whatever lies there, each pass takes something.
            seconds = PASS_SECONDS if gone or self._done is not before else 2 * seconds

    def give_up(self, reason: str) -> None:
        """Sealing it failed, by no fault of the disk: told, and at the end all that lies there is kept.
        Raises ``OSError``."""
        self._tell_unsealable({"at": 0.0, "until": 0.0, "value": 0, "reason": reason})
        if self._order.now == END:
            keep_all(self._order.folder, self._id)

    def _read(self, seconds: float) -> Reading:
        capture = Capture(self._track["clock_rate"], self._start, sound=self._track["kind"] == "audio")
        if self._done is not None:
            capture.shift(self._done["last"]["shift"])
        reading = Reading(self._order.folder, self._key, self._id, self._tell_journal, capture)
        reading.read(None if self._done is None else self._done["last"]["at"], seconds)
        return reading

    def _pass(self, reading: Reading) -> bool:
        """Whether any journal could be let go."""
        capture, before = reading.capture, self._done
        now = self._order.now if reading.whole else min(self._order.now, capture.newest)
        horizon = END if now == END else now - HORIZON_SECONDS
        sealed = self._sealed()
        splitter = Splitter(
            assembler(self._track["codec"]), sealed, capture.changes, self._track["kind"] == "video"
        )
        splitter.take(group for group in capture.groups() if group.at <= horizon)
        parts = [part for part in splitter.parts if part.pictures]
        open_part = bool(parts) and now != END and not _ended(parts[-1], horizon)
        if open_part:
            parts.pop()
        gave = self._write_all(parts, capture, sealed.until if sealed else -1.0)
        if not open_part:
            self._note_missed(splitter, capture, horizon)
        until = END if now == END else -1.0 if self._done is None else self._done["last"]["at"]
        placed = None if before is None or before["type"] != "segment" else _arrival(before)
        return reading.let_go(until, until - CONTEXT_SECONDS, gave, placed)

    def _write_all(self, parts: Sequence[Part], capture: Capture, since: float) -> list[float]:
        """Arrivals of what is in segments now."""
        gave: list[float] = []
        for part in parts:
            told = [change for change in capture.changes if since < change.at <= part.end]
            try:
                self._write(part, told, capture.worker_shift)
            except Malformed:
                self._note_unplayable(part, capture.worker_shift)
            else:
                gave += [picture.arrival for picture in part.pictures]
            since = part.end
        return gave

    def _sealed(self) -> Sealed | None:
        if self._done is None:
            return None
        end = self._done["last"]
        key = StreamKey(end["publication"], end["encoding"], end["ssrc"])
        return Sealed(key, end["rtp"], end["at"], broken=self._done["type"] != "segment")

    # ---- What no segment can be made of ----

    def _note_unplayable(self, part: Part, shift: int) -> None:
        last = part.pictures[-1]
        self._tell_unsealable(
            {
                "at": round(part.start, 6),
                "until": round(part.end, 6),
                "value": len(part.pictures),
                "reason": "unplayable",
                "last": _last(last.key, last.rtp, last.at, last.arrival, shift),
            }
        )

    def _note_missed(self, splitter: Splitter, capture: Capture, horizon: float) -> None:
        """What follows the last segment, where it ends there or lasts too long to be waited for."""
        missed, last = splitter.missed, splitter.last
        if missed is None or last is None:
            return
        final = horizon == END
        if final and self._segments and missed.end - missed.start < TAIL_SECONDS:
            return
        if not final and missed.end - missed.start < LONGEST_SECONDS:
            return
        self._tell_unsealable(
            {
                "at": round(missed.start, 6),
                "until": round(missed.end, 6),
                "value": 0,
                "reason": missed.reason,
                "last": _last(last.key, last.rtp, last.at, last.last_arrival, capture.worker_shift),
            }
        )

    def _tell_unsealable(self, what: Line) -> None:
        line = {"type": "event", "name": "unsealable", "track": self._id, **what}
        if _told(line) in self._told:
            return
        self._told.add(_told(line))
        self._manifest.append(line)
        self._outcome.unsealable += 1
        if "last" in line:
            self._done = line

    def _tell_journal(self, name: str, path: Path, value: int, at: float) -> None:
        """An event of the manifest for what a journal lost, once."""
        line = {"type": "event", "at": round(at, 6), "name": name, "track": self._id, "value": value}
        line["journal"] = path.name
        if _told(line) in self._told:
            return
        self._told.add(_told(line))
        self._manifest.append(line)
        if name == "journal_damaged":
            self._outcome.damaged += value
        else:
            self._outcome.unreadable += value

    # ---- Segments ----

    def _write(self, part: Part, changes: Sequence[Change], shift: int) -> None:
        """One segment. Raises ``Malformed`` where none can be made of it, ``OSError``."""
        codec = self._track["codec"]
        container = CONTAINERS[codec.upper()]
        last_seconds = typical_seconds(codec, part.pictures)
        plain = mux(codec, part.pictures, last_seconds)
        number = self._segments
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
            "last": _last(last.key, last.rtp, last.at, last.arrival, shift),
        }
        self._manifest.append(line)
        self._segments += 1
        self._done = line
        self._outcome.segments.append(line)

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


def _last(key: StreamKey, rtp: int, at: float, arrival: float, shift: int) -> Line:
    """Where the next round goes on."""
    return {
        **key._asdict(),
        "rtp": rtp & 0xFFFFFFFF,
        "at": round(at, 6),
        "arrival": round(arrival, 6),
        "shift": shift,
    }


def _arrival(done: Line) -> float:
    last = done["last"]
    return float(last.get("arrival", last["at"]))


def _told(line: Line) -> tuple[Any, ...]:
    return line["name"], line.get("journal"), line.get("value"), line.get("reason"), line.get("until")


def _ended(part: Part, horizon: float) -> bool:
    return horizon - part.end > QUIET_SECONDS or part.end - part.start >= LONGEST_SECONDS
