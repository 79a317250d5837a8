"""Deletion of recordings: two people, after their time and against no hold; the key goes first, and a signed
certificate says what was destroyed. Once confirmed it is finished, whatever crashes or fails meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, insert, select, update

from mediaserver.audit import SYSTEM, Actor, Event
from mediaserver.errors import LoupeError, NotPermitted
from mediaserver.ids import RecordingId, Redacted
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.library import folded
from mediaserver.store.objects import Objects, StorageFailed
from mediaserver.store.recordings import RecordingRow, is_held, load
from mediaserver.store.schema import deletions, now, recordings, segments
from mediaserver.vault import Vault, check_signature

CERTIFICATE_CONTEXT: Final = "certificate of destruction"
RETRY_SECONDS: Final = 60.0
"""Until what was confirmed and could not be destroyed is tried again."""

_log = structlog.stdlib.get_logger(__name__)


class RecordingKept(LoupeError):
    """Its retention, a legal hold, or its own state forbids to delete it; the text says which."""

    code = "recording_kept"
    default = "this recording may not be deleted"


class UnknownDeletion(LoupeError):
    """No deletion of this number waits for its confirmation."""

    code = "unknown_deletion"
    default = "no such deletion waits for its confirmation"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a deletion knows them: two tokens of one origin, or of one name however spelt, are one."""

    origin: str
    """The token or invitation that all of theirs came of."""
    name: Redacted[str]
    """As an issuer vouches for it; empty where none does."""
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """Asked for by one, confirmed by another."""

    id: int
    recording: RecordingId
    reason: Redacted[str]
    asked_at: datetime
    confirmed_at: datetime | None
    refused_at: datetime | None
    certificate: bytes | None


@dataclass(frozen=True, slots=True)
class Deletions:
    """Asks, confirms, destroys, certifies."""

    database: Database
    vault: Vault
    audit: AuditTrail
    roots: tuple[Path, ...]
    """Folders that hold recordings."""
    objects: Objects | None
    _destroying: set[int] = field(default_factory=set)
    """Deletions that are being carried out now."""

    async def ask(self, recording: RecordingId, reason: str, person: Person) -> Deletion:
        """Raises ``UnknownRecording``, ``RecordingKept``; ``NotPermitted`` for a token without a name."""
        _require_name(person)

        def work(connection: Connection) -> Deletion:
            row = load(connection, recording, self.audit.rooms)
            _check_deletable(connection, row)
            seal = self.vault.seal_field
            inserted = connection.execute(
                insert(deletions).values(
                    recording=recording,
                    sealed_reason=seal(reason, f"recording/{recording}/deletion"),
                    asked_at=now(),
                    asked_by=person.origin,
                    sealed_asker=seal(person.name.reveal(), f"recording/{recording}/asker"),
                )
            )
            assert inserted.inserted_primary_key is not None  # of the row just inserted
            number = inserted.inserted_primary_key.id
            self._tell(connection, row, person.actor, {"deletion": number, "step": "asked"})
            return self._deletion(_row(connection, number))

        return await self.database.write(work)

    async def refuse(self, recording: RecordingId, number: int, person: Person) -> None:
        """Whoever asked may take it back, too. Raises ``UnknownDeletion``."""

        def work(connection: Connection) -> None:
            self._waiting(connection, recording, number)
            connection.execute(
                update(deletions)
                .where(deletions.c.id == number)
                .values(refused_at=now(), refused_by=person.origin)
            )
            step = {"deletion": number, "step": "refused"}
            self._tell(connection, load(connection, recording, self.audit.rooms), person.actor, step)

        await self.database.write(work)

    async def confirm(self, recording: RecordingId, number: int, person: Person) -> Deletion:
        """A second person confirms: destroys the recording and certifies it.

        Raises ``UnknownDeletion``, ``RecordingKept``; ``NotPermitted`` for whoever asked. ``StorageFailed``
        comes after it was confirmed: ``run`` finishes it.
        """
        _require_name(person)

        def work(connection: Connection) -> None:
            waiting = self._waiting(connection, recording, number)
            asker = self.vault.open_field(waiting.sealed_asker, f"recording/{recording}/asker")
            if waiting.asked_by == person.origin or _bare(asker) == _bare(person.name.reveal()):
                raise NotPermitted("whoever asked for a deletion does not confirm it")
            row = load(connection, recording, self.audit.rooms)
            _check_deletable(connection, row)
            connection.execute(
                update(deletions)
                .where(deletions.c.id == number)
                .values(confirmed_at=now(), confirmed_by=person.origin)
            )
            # From here on nobody finds it, however long the disks or the store take to destroy it.
            connection.execute(
                update(recordings).where(recordings.c.id == recording).values(deleted_at=now())
            )
            self._tell(connection, row, person.actor, {"deletion": number, "step": "confirmed"})

        await self.database.write(work)
        try:
            return await self._destroy(recording, number)
        except OSError as error:
            raise StorageFailed("the disk cannot do this now; the deletion is finished later") from error

    async def run(self) -> None:
        """Finishes what was confirmed, at every start and while a disk or the store fails; until
        cancelled."""
        while True:
            try:
                await self.resume()
            except DatabaseFailed as error:
                _log.error("confirmed deletions not finished yet", reason=error.message)
            await asyncio.sleep(RETRY_SECONDS)

    async def resume(self) -> int:
        """Finishes what was confirmed; how many. What cannot be finished now is logged and left. Raises
        ``DatabaseFailed``."""
        query = select(deletions.c.id, deletions.c.recording).where(
            deletions.c.confirmed_at.is_not(None), deletions.c.certificate.is_(None)
        )
        rows = await self.database.read(lambda connection: connection.execute(query).all())
        done = 0
        for row in rows:
            if row.id in self._destroying:
                continue
            try:
                await self._destroy(RecordingId(row.recording), row.id)
                done += 1
            except (StorageFailed, OSError) as error:
                reason = error.message if isinstance(error, StorageFailed) else type(error).__name__
                _log.error("confirmed deletion not finished yet", recording=row.recording, reason=reason)
        return done

    async def of(self, recording: RecordingId) -> list[Deletion]:
        """All of them, oldest first."""
        query = select(deletions).where(deletions.c.recording == recording).order_by(deletions.c.id)
        return await self.database.read(
            lambda connection: [self._deletion(row) for row in connection.execute(query)]
        )

    # ---- Parts ----

    async def _destroy(self, recording: RecordingId, number: int) -> Deletion:
        """Idempotent: a second time finds nothing left and certifies. Raises ``StorageFailed``, ``OSError``,
        ``DatabaseFailed``."""
        self._destroying.add(number)
        try:
            manifests = await asyncio.to_thread(self._erase, recording)
            return await self._certify(recording, number, manifests)
        finally:
            self._destroying.discard(number)

    async def _certify(self, recording: RecordingId, number: int, manifests: list[str]) -> Deletion:
        def work(connection: Connection) -> Deletion:
            row = load(connection, recording, self.audit.rooms)
            kept = connection.execute(select(segments).where(segments.c.recording == recording)).all()
            waiting = _row(connection, number)
            if waiting.certificate is not None:  # another process was quicker
                return self._deletion(waiting)
            content = {
                "recording": recording,
                "procedure": row.procedure,
                "started_at": row.started_at.isoformat(),
                "retention_class": row.retention_class,
                "retain_until": row.retain_until.isoformat(),
                "segments": len(kept),
                "encrypted_bytes": sum(one.encrypted_bytes for one in kept),
                "segments_sha256": hashlib.sha256(b"".join(sorted(one.sha256 for one in kept))).hexdigest(),
                "manifest_sha256": manifests,
                "asked_at": waiting.asked_at.isoformat(),
                "asked_by": waiting.asked_by,
                "confirmed_at": waiting.confirmed_at.isoformat(),
                "confirmed_by": waiting.confirmed_by,
                "destroyed_at": now().isoformat(),
                "method": "the data key was destroyed, then all files and objects were removed",
                "public_key": self.vault.public_key.hex(),
            }
            connection.execute(
                update(deletions)
                .where(deletions.c.id == number)
                .values(certificate=_signed(self.vault, content))
            )
            connection.execute(
                update(recordings).where(recordings.c.id == recording).values(deleted_at=now())
            )
            self._tell(connection, row, SYSTEM, {"deletion": number, "step": "destroyed"})
            return self._deletion(_row(connection, number))

        return await self.database.write(work)

    def _erase(self, recording: RecordingId) -> list[str]:
        """The keys first, everywhere; then all else. Hashes of the manifests that were there."""
        folders = [root / recording for root in self.roots if (root / recording).is_dir()]
        found = [
            hashlib.sha256((folder / "manifest").read_bytes()).hexdigest()
            for folder in folders
            if (folder / "manifest").exists()
        ]
        for folder in folders:
            (folder / "key").unlink(missing_ok=True)
            _sync(folder)
        if self.objects is not None:
            self.objects.refuse_below(f"recordings/{recording}")  # an upload may be on its way
            self.objects.delete(f"recordings/{recording}/key")
            self.objects.delete_all(f"recordings/{recording}")
        for folder in folders:
            shutil.rmtree(folder)
            _sync(folder.parent)
        return found

    def _waiting(self, connection: Connection, recording: RecordingId, number: int) -> Row[Any]:
        row = connection.execute(
            select(deletions).where(
                deletions.c.id == number,
                deletions.c.recording == recording,
                deletions.c.confirmed_at.is_(None),
                deletions.c.refused_at.is_(None),
            )
        ).first()
        if row is None:
            raise UnknownDeletion
        return row

    def _tell(self, connection: Connection, row: RecordingRow, actor: Actor, details: dict[str, Any]) -> None:
        self.audit.within(
            connection, Event.RECORDING_DELETE, actor=actor, room=row.room, procedure=row.procedure,
            subject=row.id, details=details,
        )  # fmt: skip

    def _deletion(self, row: Row[Any]) -> Deletion:
        reason = self.vault.open_field(row.sealed_reason, f"recording/{row.recording}/deletion")
        return Deletion(
            id=row.id,
            recording=RecordingId(row.recording),
            reason=Redacted(reason),
            asked_at=row.asked_at,
            confirmed_at=row.confirmed_at,
            refused_at=row.refused_at,
            certificate=row.certificate,
        )


def check_certificate(certificate: bytes) -> dict[str, Any]:
    """What a certificate says, if its signature is of the key it names. Raises ``NotAuthentic``."""
    given: dict[str, Any] = json.loads(certificate)
    content: dict[str, Any] = given["certificate"]
    key, signature = bytes.fromhex(content["public_key"]), bytes.fromhex(given["signature"])
    check_signature(key, signature, _canonical(content), CERTIFICATE_CONTEXT)
    return content


def _signed(vault: Vault, content: dict[str, Any]) -> bytes:
    signature = vault.sign(_canonical(content), CERTIFICATE_CONTEXT).hex()
    return json.dumps({"certificate": content, "signature": signature}, sort_keys=True).encode()


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _check_deletable(connection: Connection, row: RecordingRow) -> None:
    if row.deleted_at is not None:
        raise RecordingKept("this recording was deleted already")
    if row.state not in ("sealed", "withdrawn"):
        raise RecordingKept("this recording is still being made")
    if is_held(connection, row.id):
        raise RecordingKept("a legal hold stands")
    if now() < row.retain_until:
        day = row.retain_until.date().isoformat()
        raise RecordingKept(f"its retention class {row.retention_class} keeps it until {day}")


def _bare(name: str) -> str:
    """Without case, diacritics and spaces: one person's name however it was written down."""
    return "".join(folded(name).split())


def _require_name(person: Person) -> None:
    if not person.name.reveal().strip():
        raise NotPermitted("deleting needs a token whose issuer named its holder")


def _row(connection: Connection, number: int) -> Row[Any]:
    return connection.execute(select(deletions).where(deletions.c.id == number)).one()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
