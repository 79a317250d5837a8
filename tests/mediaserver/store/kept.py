"""A recording as the recorder leaves it: a folder with key, manifest and sealed segments, and its index."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mediaserver.audit import Actor
from mediaserver.config import Retention, RetentionClass
from mediaserver.ids import RecordingId, RoomId, TrackId, new_recording_id
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database
from mediaserver.store.procedures import Procedures
from mediaserver.store.recordings import Recordings, SegmentRow
from mediaserver.store.schema import now
from mediaserver.vault import ChunkWriter, DataKey, Vault

TRACK = TrackId("t1")
PLAIN = bytes(range(256)) * 1000


@dataclass
class Kept:
    """The recording, and where it is."""

    id: RecordingId
    folder: Path
    key: DataKey
    recordings: Recordings

    def segment(self, number: int) -> Path:
        return self.folder / "segments" / TRACK / f"{number:06d}.webm.enc"


async def keep(
    database: Database, vault: Vault, root: Path, *, segments: int = 2, retained: RetentionClass = "test"
) -> Kept:
    """A sealed recording of a procedure of its own; class ``test`` is due at once."""
    audit = AuditTrail(database, vault)
    id = new_recording_id()
    room = RoomId(id[:12])
    procedure = await Procedures(database, vault, audit).open(room, "BN-1", "", (), Actor(id="me"), retained)
    recordings = Recordings(database, vault, audit, Retention(test_days=0))
    await recordings.begin(id, procedure.id, room, now() - timedelta(hours=1))
    kept = Kept(id, root / id, vault.new_data_key(), recordings)
    (kept.folder / "segments" / TRACK).mkdir(parents=True)
    (kept.folder / "key").write_bytes(vault.wrap(kept.key, f"recording/{id}"))
    (kept.folder / "manifest").write_bytes(os.urandom(100))
    rows = []
    for number in range(1, segments + 1):
        with kept.segment(number).open("wb") as stream, ChunkWriter(stream, kept.key, f"{number}") as writer:
            writer.write(PLAIN)
        content = kept.segment(number).read_bytes()
        rows.append(
            SegmentRow(
                track=TRACK, number=number, start_seconds=60.0 * (number - 1), duration_seconds=60.0,
                media_type="video/webm", plain_bytes=len(PLAIN), encrypted_bytes=len(content),
                sha256=hashlib.sha256(content).digest(),
            )
        )  # fmt: skip
    await recordings.add(id, rows)
    await recordings.change(id, "sealed", now())
    return kept
