"""Consents: who decided what for which purpose, how, when, over which text. Nothing is ever overwritten: the
newest decision of a purpose holds, the older ones stay as they were.

*Break-glass* stands in for a patient who cannot be asked: with a reason, and a review by somebody else. It
never overrules a refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from mediaserver.audit import Actor, Event
from mediaserver.errors import LoupeError, NotPermitted
from mediaserver.ids import ProcedureId, Redacted, RoomId
from mediaserver.store.audit import AuditTrail
from mediaserver.store.database import Database, DatabaseFailed
from mediaserver.store.procedures import ProcedureClosed, UnknownProcedure
from mediaserver.store.schema import audit, break_glass, consents, now, procedures
from mediaserver.vault import Vault

WATCH_SECONDS: Final = 0.5
"""How often another process's decisions are looked for: a withdrawal must stop a recorder within 2 s."""
MAX_REASON_CHARACTERS: Final = 1000
MAX_NAME_CHARACTERS: Final = 64

Relation: TypeAlias = Literal["patient", "guardian", "relative", "representative"]
Form: TypeAlias = Literal["written", "spoken", "read_aloud", "electronic"]


class Purpose(StrEnum):
    """What is consented to, each by itself."""

    TREATMENT_LINK = "treatment_link"
    RECORDING = "recording"
    TEACHING = "teaching"
    OUTSIDE_VIEWERS = "outside_viewers"


EMERGENCIES: Final = frozenset({Purpose.TREATMENT_LINK, Purpose.RECORDING})
"""What break-glass may stand in for: nobody is taught or shown to strangers in an emergency."""


class Decision(StrEnum):
    """What was decided."""

    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


_EVENTS: Final[Mapping[Decision, Event]] = {
    Decision.GIVEN: Event.CONSENT_GIVE,
    Decision.REFUSED: Event.CONSENT_REFUSE,
    Decision.WITHDRAWN: Event.CONSENT_WITHDRAW,
}


class ConsentMissing(NotPermitted):
    """Nobody consented to this purpose, or the consent was refused or withdrawn."""

    code = "consent_missing"
    default = "there is no consent to this for this procedure"


class NothingToWithdraw(LoupeError):
    """No consent of this purpose stands."""

    code = "nothing_to_withdraw"
    default = "no consent to this stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One decision, as it was taken down."""

    purpose: Purpose
    decision: Decision
    by: Redacted[str]
    """Who decided."""
    relation: Relation
    """To the patient."""
    form: Form
    text_version: str
    """Of the text that was read or shown."""
    language: str
    decided_at: datetime
    recorded_at: datetime | None = None
    recorded_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenGlass:
    """A purpose served without consent in an emergency."""

    id: int
    purpose: Purpose
    reason: Redacted[str]
    broken_at: datetime
    broken_by: str
    reviewed_at: datetime | None
    reviewed_by: str | None
    finding: Redacted[str] | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for one purpose now."""

    purpose: Purpose
    consent: Consent | None
    """The newest decision."""
    broken: BrokenGlass | None
    """Break-glass that stands in for it."""

    @property
    def permitted(self) -> bool:
        """By consent, or by break-glass where nobody decided."""
        if self.consent is not None:
            return self.consent.decision is Decision.GIVEN
        return self.broken is not None


@dataclass(frozen=True, slots=True)
class Revoked:
    """A purpose is no longer permitted: whoever serves it must stop."""

    procedure: ProcedureId
    purpose: Purpose
    closed: bool = False
    """The procedure is over; nobody took the consent back."""


@dataclass(slots=True)
class Consents:
    """The register. Decisions are audited in their own transaction."""

    database: Database
    vault: Vault
    audit: AuditTrail
    _decided: asyncio.Condition = field(default_factory=asyncio.Condition)

    # ---- Questions ----

    async def permits(self, procedure: ProcedureId, purpose: str, room: RoomId | None = None) -> bool:
        """Whether the purpose is permitted now; False for a closed or unknown procedure, and for one of
        another room where a room is given."""

        def work(connection: Connection) -> bool:
            query = select(procedures.c.room, procedures.c.closed_at).where(procedures.c.id == procedure)
            row = connection.execute(query).first()
            if row is None or row.closed_at is not None:
                return False
            if room is not None and row.room not in self.audit.rooms.held(room):
                return False
            return self.holding(connection, procedure, Purpose(purpose)).permitted

        return await self.database.read_promptly(work)

    async def require(self, procedure: ProcedureId, purpose: Purpose) -> None:
        """Raises ``ConsentMissing`` naming the purpose."""
        if not await self.permits(procedure, purpose):
            raise ConsentMissing(f"there is no consent to {purpose.value} for this procedure")

    async def stands(self, procedure: ProcedureId, purpose: Purpose) -> bool:
        """Whether the newest decision gives consent, also after the procedure; False for an unknown one."""
        standing = await self.database.read_promptly(
            lambda connection: self.holding(connection, procedure, purpose).consent
        )
        return standing is not None and standing.decision is Decision.GIVEN

    async def declined(self, procedure: ProcedureId, purpose: Purpose) -> bool:
        """Whether the newest decision refuses it or takes it back; False where nobody decided."""
        standing = await self.database.read_promptly(
            lambda connection: self.holding(connection, procedure, purpose).consent
        )
        return standing is not None and standing.decision is not Decision.GIVEN

    async def revoked_since(self, procedure: ProcedureId, purpose: Purpose, since: datetime) -> bool:
        """Whether the purpose was refused or taken back at that moment or later, or is so now; False where
        its procedure was merely closed, and for an unknown one."""
        query = (
            select(consents.c.decision, consents.c.recorded_at)
            .where(consents.c.procedure == procedure, consents.c.purpose == purpose.value)
            .order_by(consents.c.id)
        )
        rows = await self.database.read_promptly(lambda connection: connection.execute(query).all())
        against = [row for row in rows if row.decision != Decision.GIVEN]
        return bool(against) and (against[-1] is rows[-1] or against[-1].recorded_at >= since)

    async def standing(self, procedure: ProcedureId) -> dict[Purpose, Standing]:
        """What holds for each purpose."""
        return await self.database.read_promptly(
            lambda connection: {one: self.holding(connection, procedure, one) for one in Purpose}
        )

    async def history(self, procedure: ProcedureId) -> list[Consent]:
        """Every decision, oldest first."""
        query = select(consents).where(consents.c.procedure == procedure).order_by(consents.c.id)
        return await self.database.read(
            lambda connection: [self._consent(row) for row in connection.execute(query)]
        )

    async def unreviewed(self) -> list[tuple[ProcedureId, BrokenGlass]]:
        """Break-glass that nobody looked at yet, oldest first."""
        query = select(break_glass).where(break_glass.c.reviewed_at.is_(None)).order_by(break_glass.c.id)
        return await self.database.read(
            lambda connection: [
                (ProcedureId(row.procedure), self._broken(row)) for row in connection.execute(query)
            ]
        )

    # ---- Decisions ----

    async def decide(self, procedure: ProcedureId, consent: Consent, actor: Actor) -> Standing:
        """Takes a decision down. What was consented to can be withdrawn after the procedure, too.

        Raises ``UnknownProcedure``, ``ProcedureClosed``, ``NothingToWithdraw``.
        """

        def work(connection: Connection) -> Standing:
            room, closed = _room(connection, procedure)
            withdraws = consent.decision is Decision.WITHDRAWN
            if closed and not withdraws:
                raise ProcedureClosed
            if withdraws and not self.holding(connection, procedure, consent.purpose).permitted:
                raise NothingToWithdraw
            self._insert(connection, procedure, consent, actor)
            self.audit.within(
                connection, _EVENTS[consent.decision], actor=actor, room=room, procedure=procedure,
                details={
                    "purpose": consent.purpose.value, "relation": consent.relation, "form": consent.form,
                    "text_version": consent.text_version, "language": consent.language,
                },
            )  # fmt: skip
            return self.holding(connection, procedure, consent.purpose)

        standing = await self.database.write(work)
        await self._tell()
        return standing

    async def break_glass(
        self, procedure: ProcedureId, purpose: Purpose, reason: str, actor: Actor
    ) -> Standing:
        """Serves a purpose of a patient who cannot be asked.

        Raises ``UnknownProcedure``, ``ProcedureClosed``; ``ConsentMissing`` over a refusal, and for a purpose
        that no emergency needs.
        """
        if purpose not in EMERGENCIES:
            raise ConsentMissing("an emergency is no reason to teach or to let anybody from outside watch")

        def work(connection: Connection) -> Standing:
            room, closed = _room(connection, procedure)
            if closed:
                raise ProcedureClosed
            if self.holding(connection, procedure, purpose).consent is not None:
                raise ConsentMissing("a decision was taken; break-glass is for patients who cannot be asked")
            inserted = connection.execute(
                insert(break_glass).values(
                    procedure=procedure,
                    purpose=purpose.value,
                    sealed_reason=self.vault.seal_field(reason, f"procedure/{procedure}/break-glass"),
                    broken_at=now(),
                    broken_by=actor.id,
                )
            )
            assert inserted.inserted_primary_key is not None  # of the row just inserted
            self.audit.within(
                connection, Event.BREAK_GLASS, actor=actor, room=room, procedure=procedure,
                subject=str(inserted.inserted_primary_key.id), details={"purpose": purpose.value},
            )  # fmt: skip
            return self.holding(connection, procedure, purpose)

        return await self.database.write(work)

    async def review(self, id: int, finding: str, actor: Actor) -> BrokenGlass:
        """Somebody else looked at it.

        Raises ``LookupError`` for an unknown or reviewed one, ``NotPermitted`` for whoever broke it.
        """

        def work(connection: Connection) -> BrokenGlass:
            here = break_glass.c.id == id
            row = connection.execute(select(break_glass).where(here)).first()
            if row is None or row.reviewed_at is not None:
                raise UnknownProcedure("nothing of this id waits for its review")
            if row.broken_by == actor.id:
                raise NotPermitted("whoever broke the glass does not review it")
            sealed = self.vault.seal_field(finding, f"procedure/{row.procedure}/finding")
            connection.execute(
                update(break_glass)
                .where(here)
                .values(reviewed_at=now(), reviewed_by=actor.id, sealed_finding=sealed)
            )
            room, _ = _room(connection, ProcedureId(row.procedure))
            self.audit.within(
                connection, Event.BREAK_GLASS_REVIEW, actor=actor, room=room, procedure=row.procedure,
                subject=str(id),
            )  # fmt: skip
            return self._broken(connection.execute(select(break_glass).where(here)).one())

        return await self.database.write(work)

    async def revoked(self) -> AsyncIterator[Revoked]:
        """Purposes that stop being permitted from now on, by a decision or as their procedure is closed,
        whichever process took that down."""
        seen: _Seen | None = None
        while True:
            try:
                if seen is None:
                    seen = await self.database.read_promptly(_newest)
                ended, seen = await self.database.read_promptly(partial(_ended_after, seen))
            except DatabaseFailed:  # whoever waits must hear of what comes when it returns
                await self._wait()
                continue
            for one in ended:
                yield one
            if not ended:
                await self._wait()

    # ---- Parts ----

    async def _tell(self) -> None:
        async with self._decided:
            self._decided.notify_all()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WATCH_SECONDS), self._decided:
                await self._decided.wait()
        except TimeoutError:
            pass

    def holding(self, connection: Connection, procedure: ProcedureId, purpose: Purpose) -> Standing:
        """What holds now, within a transaction of the caller's."""
        decided = connection.execute(
            select(consents)
            .where(consents.c.procedure == procedure, consents.c.purpose == purpose.value)
            .order_by(consents.c.id.desc())
            .limit(1)
        ).first()
        if decided is not None:
            return Standing(purpose, self._consent(decided), None)
        broken = connection.execute(
            select(break_glass)
            .where(break_glass.c.procedure == procedure, break_glass.c.purpose == purpose.value)
            .order_by(break_glass.c.id.desc())
            .limit(1)
        ).first()
        return Standing(purpose, None, None if broken is None else self._broken(broken))

    def _insert(self, connection: Connection, procedure: ProcedureId, consent: Consent, actor: Actor) -> None:
        connection.execute(
            insert(consents).values(
                procedure=procedure,
                purpose=consent.purpose.value,
                decision=consent.decision.value,
                sealed_by=self.vault.seal_field(consent.by.reveal(), f"procedure/{procedure}/consent"),
                relation=consent.relation,
                form=consent.form,
                text_version=consent.text_version,
                language=consent.language,
                decided_at=consent.decided_at,
                recorded_at=now(),
                recorded_by=actor.id,
            )
        )

    def _consent(self, row: Row[Any]) -> Consent:
        return Consent(
            purpose=Purpose(row.purpose),
            decision=Decision(row.decision),
            by=Redacted(self.vault.open_field(row.sealed_by, f"procedure/{row.procedure}/consent")),
            relation=row.relation,
            form=row.form,
            text_version=row.text_version,
            language=row.language,
            decided_at=row.decided_at,
            recorded_at=row.recorded_at,
            recorded_by=row.recorded_by,
        )

    def _broken(self, row: Row[Any]) -> BrokenGlass:
        place = f"procedure/{row.procedure}"
        finding = row.sealed_finding
        return BrokenGlass(
            id=row.id,
            purpose=Purpose(row.purpose),
            reason=Redacted(self.vault.open_field(row.sealed_reason, f"{place}/break-glass")),
            broken_at=row.broken_at,
            broken_by=row.broken_by,
            reviewed_at=row.reviewed_at,
            reviewed_by=row.reviewed_by,
            finding=None if finding is None else Redacted(self.vault.open_field(finding, f"{place}/finding")),
        )


def declined(purpose: Purpose) -> Select[tuple[str]]:
    """Procedures whose newest decision about a purpose refuses it or takes it back."""
    newest = (
        select(func.max(consents.c.id))
        .where(consents.c.purpose == purpose.value)
        .group_by(consents.c.procedure)
    )
    return select(consents.c.procedure).where(
        consents.c.id.in_(newest), consents.c.decision != Decision.GIVEN.value
    )


class _Seen(NamedTuple):
    """The last that was looked at; closings are found in the audit, whose order no clock can change."""

    consent: int
    entry: int


def _newest(connection: Connection) -> _Seen:
    newest = [func.coalesce(func.max(id), 0) for id in (consents.c.id, audit.c.seq)]
    return _Seen(*(int(connection.execute(select(one)).scalar_one()) for one in newest))


def _ended_after(seen: _Seen, connection: Connection) -> tuple[list[Revoked], _Seen]:
    decided = connection.execute(
        select(consents.c.id, consents.c.procedure, consents.c.purpose, consents.c.decision)
        .where(consents.c.id > seen.consent)
        .order_by(consents.c.id)
    ).all()
    entries = connection.execute(
        select(audit.c.seq, audit.c.event, audit.c.procedure)
        .where(audit.c.seq > seen.entry)
        .order_by(audit.c.seq)
    ).all()
    ended = [
        Revoked(ProcedureId(row.procedure), Purpose(row.purpose))
        for row in decided
        if row.decision != Decision.GIVEN
    ]
    ended += [
        Revoked(ProcedureId(row.procedure), purpose, closed=True)
        for row in entries
        if row.event == Event.SESSION_END
        for purpose in Purpose
    ]
    last = _Seen(decided[-1].id if decided else seen.consent, entries[-1].seq if entries else seen.entry)
    return ended, last


def _room(connection: Connection, procedure: ProcedureId) -> tuple[str, bool]:
    """The procedure's room, and whether it is closed. Raises ``UnknownProcedure``."""
    query = select(procedures.c.room, procedures.c.closed_at).where(procedures.c.id == procedure)
    row = connection.execute(query).first()
    if row is None:
        raise UnknownProcedure
    return row.room, row.closed_at is not None
