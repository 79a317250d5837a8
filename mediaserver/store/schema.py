"""The tables. What names a person or a patient is in columns called ``sealed_...``: only the vault opens it.

The newest shape; how a file gets there is in ``mediaserver/store/migrations``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    TypeDecorator,
    text,
)

MIGRATIONS: Final = Path(__file__).parent / "migrations"
FILE_NAME: Final = "loupe.db"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept as milliseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Raises ``ValueError`` for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone")
        return (value - _EPOCH) // timedelta(milliseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """In UTC."""
        return None if value is None else _EPOCH + timedelta(milliseconds=value)


def now() -> datetime:
    """This moment in UTC, to the millisecond: what is written is what is read."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


metadata = MetaData()

rooms = Table(
    "rooms",
    metadata,
    Column("id", String, primary_key=True),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime, nullable=False),
)

procedures = Table(
    "procedures",
    metadata,
    Column("id", String, primary_key=True),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("sealed_reference", LargeBinary, nullable=False),
    Column("sealed_title", LargeBinary, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("opened_by", String, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("retention_class", String, nullable=False, server_default="clinical"),
    Index("one_open_procedure_a_room", "room", unique=True, sqlite_where=text("closed_at IS NULL")),
    Index("procedures_by_time", "opened_at"),
)

staff = Table(
    "procedure_staff",
    metadata,
    Column("procedure", String, ForeignKey("procedures.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", String, nullable=False),
    Column("sealed_name", LargeBinary, nullable=False),
    PrimaryKeyConstraint("procedure", "position"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("procedure", String, ForeignKey("procedures.id"), nullable=False),
    Column("purpose", String, nullable=False),
    Column("decision", String, nullable=False),
    Column("sealed_by", LargeBinary, nullable=False),
    Column("relation", String, nullable=False),
    Column("form", String, nullable=False),
    Column("text_version", String, nullable=False),
    Column("language", String, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("recorded_by", String, nullable=False),
    Index("consents_by_procedure", "procedure", "purpose", "id"),
)

break_glass = Table(
    "break_glass",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("procedure", String, ForeignKey("procedures.id"), nullable=False),
    Column("purpose", String, nullable=False),
    Column("sealed_reason", LargeBinary, nullable=False),
    Column("broken_at", UtcTime, nullable=False),
    Column("broken_by", String, nullable=False),
    Column("reviewed_at", UtcTime),
    Column("reviewed_by", String),
    Column("sealed_finding", LargeBinary),
    Index("break_glass_by_procedure", "procedure", "purpose", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("zone_minutes", Integer, nullable=False),
    Column("event", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("role", String),
    Column("sealed_actor_name", LargeBinary),
    Column("address_class", String),
    Column("room", String),
    Column("procedure", String),
    Column("subject", String),
    Column("details", String, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_by_room", "room", "seq"),
    Index("audit_by_procedure", "procedure", "seq"),
    Index("audit_by_time", "time"),
)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("seq", Integer, ForeignKey("audit.seq"), primary_key=True),
    Column("time", UtcTime, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)

recordings = Table(
    "recordings",
    metadata,
    Column("id", String, primary_key=True),
    Column("procedure", String, ForeignKey("procedures.id"), nullable=False),
    Column("room", String, ForeignKey("rooms.id"), nullable=False),
    Column("state", String, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("retention_class", String, nullable=False),
    Column("retain_until", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
    Index("recordings_by_procedure", "procedure"),
    Index("recordings_by_time", "started_at"),
)

segments = Table(
    "segments",
    metadata,
    Column("recording", String, ForeignKey("recordings.id"), nullable=False),
    Column("track", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("start_seconds", Float, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("media_type", String, nullable=False),
    Column("plain_bytes", BigInteger, nullable=False),
    Column("encrypted_bytes", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("location", String, nullable=False),
    PrimaryKeyConstraint("recording", "track", "number"),
)

holds = Table(
    "legal_holds",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("recording", String, ForeignKey("recordings.id"), nullable=False),
    Column("sealed_reason", LargeBinary, nullable=False),
    Column("placed_at", UtcTime, nullable=False),
    Column("placed_by", String, nullable=False),
    Column("lifted_at", UtcTime),
    Column("lifted_by", String),
    Index("holds_by_recording", "recording"),
)

deletions = Table(
    "deletions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("recording", String, ForeignKey("recordings.id"), nullable=False),
    Column("sealed_reason", LargeBinary, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("asked_by", String, nullable=False),
    Column("sealed_asker", LargeBinary, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("confirmed_by", String),
    Column("refused_at", UtcTime),
    Column("refused_by", String),
    Column("certificate", LargeBinary),
    Index("deletions_by_recording", "recording"),
)

bookmarks = Table(
    "bookmarks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("procedure", String, ForeignKey("procedures.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("sealed_label", LargeBinary, nullable=False),
    Column("made_by", String, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("removed_at", UtcTime),
    # No foreign key: a moment may be marked before the index has heard of its recording.
    Column("recording", String),
    Column("axis_seconds", Float),
    Index("bookmarks_by_procedure", "procedure", "at"),
)
