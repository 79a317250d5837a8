"""The audit trail: every record's hash covers the one before it, and signed checkpoints fix the chain.

What happens in a live session is *appended*: taken at once into a bounded spool and written when the database
can. What the database itself decides (a consent, a deletion) is *written within* the same transaction: both
or neither. Nothing changes or deletes a row; ``audit_verification`` finds what was done behind SQLite's back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from mediaserver.audit import SYSTEM, Actor, Details, Event
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.rooms import RoomNames
from mediaserver.store.schema import audit, audit_checkpoints, now
from mediaserver.vault import Vault

MAX_SPOOLED: Final = 50_000
"""Records that wait for the database: an hour of a busy server, some 25 MB."""
MAX_BATCH: Final = 500
CHECKPOINT_RECORDS: Final = 1000
CHECKPOINT_SECONDS: Final = 60.0
"""A checkpoint is made with the first record after so many, or so long."""
RETRY_SECONDS: Final = 2.0
"""Between attempts while the database fails: what is spooled is written within 30 s of its return."""
GENESIS: Final = bytes(32)
"""The hash before the first record."""
CHECKPOINT_CONTEXT: Final = "audit checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event as it is kept; ``seq`` 0 and an empty ``hash`` until it has its place in the chain."""

    time: datetime
    zone_minutes: int
    event: str
    outcome: str
    actor: str
    role: str | None = None
    sealed_actor_name: bytes | None = None
    address_class: str | None = None
    room: str | None = None
    """As tables hold its name."""
    procedure: str | None = None
    subject: str | None = None
    details: str = "{}"
    seq: int = 0
    hash: bytes = b""

    def canonical(self) -> bytes:
        """What is hashed: JSON with sorted keys, no spaces, UTF-8; times in ms, bytes in hex; no hash."""
        content: dict[str, Any] = {
            name: getattr(self, name) for name in self.__slots__ if name not in ("hash", "sealed_actor_name")
        }
        content["time"] = round(self.time.timestamp() * 1000)
        name = self.sealed_actor_name
        content["sealed_actor_name"] = None if name is None else name.hex()
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def chained(self, previous: bytes) -> Record:
        """With its hash."""
        return replace(self, hash=hashlib.sha256(previous + self.canonical()).digest())

    def opened_details(self, vault: Vault | None) -> dict[str, Any]:
        """With the reason, where one was sealed. Raises ``NotAuthentic``."""
        details: dict[str, Any] = json.loads(self.details)
        if vault is not None and "sealed_reason" in details:
            sealed = bytes.fromhex(details.pop("sealed_reason"))
            details["reason"] = vault.open_field(sealed, reason_place(self.actor))
        return details

    def room_name(self, rooms: RoomNames) -> str | None:
        """As its users know it."""
        return None if self.room is None else rooms.reveal(self.room)

    def actor_name(self, vault: Vault) -> str | None:
        """Opens it. Raises ``NotAuthentic``."""
        if self.sealed_actor_name is None:
            return None
        return vault.open_field(self.sealed_actor_name, f"audit/actor/{self.actor}")


def reason_place(actor: str) -> str:
    """The context under which a reason in a record's details is sealed."""
    return f"audit/reason/{actor}"


def from_row(row: Row[Any]) -> Record:
    """A row of the table."""
    return Record(**row._mapping)


def checkpoint_message(seq: int, head: bytes) -> bytes:
    """What a checkpoint signs: a record's number and its hash."""
    return struct.pack(">Q", seq) + head


def write(connection: Connection, vault: Vault | None, records: Sequence[Record]) -> None:
    """Puts records at the end of the chain, within the caller's transaction."""
    last = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    seq, head = (last.seq, last.hash) if last is not None else (0, GENESIS)
    rows = []
    for record in records:
        seq += 1
        placed = replace(record, seq=seq).chained(head)
        head = placed.hash
        rows.append({name: getattr(placed, name) for name in placed.__slots__})
    connection.execute(insert(audit), rows)
    if vault is not None and records:
        _checkpoint_if_due(connection, vault, seq, head, records[-1].time)


def _checkpoint_if_due(connection: Connection, vault: Vault, seq: int, head: bytes, time: datetime) -> None:
    query = select(audit_checkpoints.c.seq, audit_checkpoints.c.time)
    last = connection.execute(query.order_by(audit_checkpoints.c.seq.desc()).limit(1)).first()
    if last is None or (
        seq - last.seq >= CHECKPOINT_RECORDS or (time - last.time).total_seconds() >= CHECKPOINT_SECONDS
    ):
        add_checkpoint(connection, vault, seq, head, time)


def add_checkpoint(connection: Connection, vault: Vault, seq: int, head: bytes, time: datetime) -> None:
    """Signs the chain up to this record."""
    signature = vault.sign(checkpoint_message(seq, head), CHECKPOINT_CONTEXT)
    connection.execute(insert(audit_checkpoints).values(seq=seq, time=time, hash=head, signature=signature))


@dataclass(slots=True)
class AuditTrail:
    """Implements ``mediaserver.audit.Audit`` over a database. ``append`` is for the event loop's thread."""

    database: Database
    vault: Vault | None
    room_key: bytes | None = None
    """Of the hashes that stand for rooms' names where there is no vault."""
    lost: int = 0
    """Records that found the spool full, in all."""
    _unreported: int = 0
    _spool: deque[Record] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _writing: asyncio.Task[None] | None = None

    def record(
        self,
        event: str,
        *,
        actor: Actor | str,
        room: str | None = None,
        procedure: str | None = None,
        subject: str | None = None,
        outcome: str = "success",
        details: Details | None = None,
    ) -> Record:
        """A record of this moment, without its place in the chain."""
        who = Actor(id=actor) if isinstance(actor, str) else actor
        sealed = None
        if who.name is not None and who.name.reveal() and self.vault is not None:
            sealed = self.vault.seal_field(who.name.reveal(), f"audit/actor/{who.id}")
        time = now()
        offset = time.astimezone().utcoffset()
        return Record(
            time=time,
            zone_minutes=0 if offset is None else int(offset.total_seconds() // 60),
            event=str(event),
            outcome=outcome,
            actor=who.id,
            role=None if who.role is None else who.role.value,
            sealed_actor_name=sealed,
            address_class=who.address_class,
            room=self.rooms.kept(room),
            procedure=procedure,
            subject=subject,
            details=json.dumps(dict(details or {}), sort_keys=True, separators=(",", ":")),
        )

    def append(
        self,
        event: str,
        *,
        actor: Actor | str,
        room: str | None = None,
        procedure: str | None = None,
        subject: str | None = None,
        outcome: str = "success",
        details: Details | None = None,
    ) -> None:
        """Spools it; at once, whatever state the database is in."""
        if len(self._spool) >= MAX_SPOOLED:
            self.lost += 1
            self._unreported += 1
            return
        self._spool.append(
            self.record(
                event,
                actor=actor,
                room=room,
                procedure=procedure,
                subject=subject,
                outcome=outcome,
                details=details,
            )
        )
        self._wake.set()

    def within(self, connection: Connection, event: Event, **what: Any) -> None:
        """Writes it in the caller's transaction: both or neither. Arguments as ``append``."""
        write(connection, self.vault, [self.record(event, **what)])

    @property
    def rooms(self) -> RoomNames:
        """How tables hold rooms' names."""
        return RoomNames(self.vault, self.room_key)

    @property
    def spooled(self) -> int:
        """Records that wait."""
        return len(self._spool)

    async def run(self) -> None:
        """Writes what is appended until cancelled; goes on trying while the database fails."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._spool:
                try:
                    await self.flush()
                except DatabaseFailed:
                    await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Writes what waits now, in order. Raises ``DatabaseFailed``; then it still waits."""
        while self._spool:
            if self._writing is None or self._writing.done():
                self._writing = asyncio.get_running_loop().create_task(self._put())
                self._writing.add_done_callback(lambda done: done.cancelled() or done.exception())
            # One at a time, and to its end even if who waits is cancelled: no record is written twice.
            await asyncio.shield(self._writing)

    async def _put(self) -> None:
        batch = [self._spool[index] for index in range(min(MAX_BATCH, len(self._spool)))]
        records, lost = list(batch), self._unreported
        if lost:
            records.append(
                self.record(Event.AUDIT_GAP, actor=SYSTEM, outcome="failed", details={"lost": lost})
            )
        await self.database.write(lambda connection: write(connection, self.vault, records))
        for _ in batch:
            self._spool.popleft()
        self._unreported -= lost

    async def close(self) -> None:
        """Writes what waits and signs the end. Raises ``DatabaseFailed``."""
        await self.flush()
        if self.vault is not None:
            await self.database.write(self.sign_head)

    def sign_head(self, connection: Connection) -> None:
        """A checkpoint at the last record, unless it has one."""
        if self.vault is None:
            return
        last = connection.execute(
            select(audit.c.seq, audit.c.hash, audit_checkpoints.c.signature)
            .join_from(audit, audit_checkpoints, audit.c.seq == audit_checkpoints.c.seq, isouter=True)
            .order_by(audit.c.seq.desc())
            .limit(1)
        ).first()
        if last is not None and last.signature is None:
            add_checkpoint(connection, self.vault, last.seq, last.hash, now())


def find(
    connection: Connection,
    *,
    after: int = 0,
    limit: int = 200,
    room: Sequence[str] | None = None,
    procedure: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Record]:
    """Records in order, behind ``after``; ``room`` as ``RoomNames.held`` says it."""
    query = select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    if room is not None:
        query = query.where(audit.c.room.in_(room))
    if procedure is not None:
        query = query.where(audit.c.procedure == procedure)
    if since is not None:
        query = query.where(audit.c.time >= since)
    if until is not None:
        query = query.where(audit.c.time < until)
    return [from_row(row) for row in connection.execute(query)]


def find_all(database: Database, **which: Any) -> Iterator[Record]:
    """Every record that ``find`` would give, page by page, in the calling thread."""
    after = 0
    while page := database.read_now(partial(find, after=after, limit=MAX_BATCH, **which)):
        yield from page
        after = page[-1].seq
