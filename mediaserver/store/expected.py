"""What the database says of recordings' folders: a manifest whose last lines were cut off, with the segments
they name, is whole in itself, and a folder that is gone is not missed by itself.

The audit has each recording's end, with the hash of the manifest's last line; the index has each segment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from mediaserver.audit import Event
from mediaserver.ids import RecordingId
from mediaserver.recording.manifest import Altered, End, Line
from mediaserver.store.schema import audit, recordings, segments


@dataclass(slots=True)
class Expected:
    """What must be there of one recording."""

    ended: bool = False
    """Its end is in the audit."""
    end: End | None = None
    """As the audit has it; None before the end, and in records of earlier versions."""
    segments: dict[tuple[str, int], str] = field(default_factory=dict)
    """SHA-256 of those that the index has, by track and number."""

    def check(self, lines: Iterable[Line], end: End | None) -> None:
        """Compares a manifest that is whole in itself. Raises ``Altered``."""
        found = {(one["track"], one["number"]): one["sha256"] for one in lines if one["type"] == "segment"}
        for (track, number), sha256 in sorted(self.segments.items()):
            if found.get((track, number)) != sha256:
                raise Altered(f"segment {number} of track {track} is in the index and not in the manifest")
        if self.ended and end is None:
            raise Altered("the manifest's end is cut: the audit has this recording as finalised")
        if self.end is not None and self.end != end:
            raise Altered("the manifest's end is not the one that the audit has")


def finalised(connection: Connection) -> dict[RecordingId, End | None]:
    """Recordings whose end is in the audit, as it was told first."""
    query = (
        select(audit.c.subject, audit.c.details)
        .where(audit.c.event == Event.RECORDING_FINALISE.value)
        .order_by(audit.c.seq.desc())
    )
    return {RecordingId(row.subject): _end(row.details) for row in connection.execute(query)}


def expected_of(connection: Connection, recording: RecordingId) -> Expected:
    """What must be there of this one."""
    told = (
        select(audit.c.details)
        .where(audit.c.event == Event.RECORDING_FINALISE.value, audit.c.subject == recording)
        .order_by(audit.c.seq)
        .limit(1)
    )
    found = Expected()
    if (row := connection.execute(told).first()) is not None:
        found = Expected(ended=True, end=_end(row.details))
    for one in connection.execute(select(segments).where(segments.c.recording == recording)):
        found.segments[one.track, one.number] = one.sha256.hex()
    return found


def expected(connection: Connection) -> dict[RecordingId, Expected]:
    """Every recording that must be there, running ones as far as they are indexed."""
    known = select(recordings.c.id).where(recordings.c.deleted_at.is_(None))
    found = {RecordingId(row.id): Expected() for row in connection.execute(known)}
    for recording, end in finalised(connection).items():
        found[recording] = Expected(ended=True, end=end)
    for row in connection.execute(select(segments)):
        if (one := found.get(RecordingId(row.recording))) is not None:
            one.segments[row.track, row.number] = row.sha256.hex()
    for recording in _deleted(connection):
        found.pop(recording, None)
    return found


def _deleted(connection: Connection) -> list[RecordingId]:
    """As the audit has it: two people decided, whether or not it was finished."""
    query = select(audit.c.subject, audit.c.details).where(audit.c.event == Event.RECORDING_DELETE.value)
    rows = connection.execute(query)
    return [RecordingId(row.subject) for row in rows if json.loads(row.details).get("step") == "confirmed"]


def _end(details: str) -> End | None:
    told = json.loads(details)
    return End(told["state"], told["head"], told["segments"]) if "head" in told else None
