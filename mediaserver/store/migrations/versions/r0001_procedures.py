"""Rooms, procedures, consents, break-glass, and the audit that nobody can change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_APPEND_ONLY = ("audit", "audit_checkpoints", "consents")


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "rooms",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
    )
    _procedures()
    _consents()
    _audit()
    for table in _APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_never_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _procedures() -> None:
    op.create_table(
        "procedures",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("room", sa.String, sa.ForeignKey("rooms.id"), nullable=False),
        sa.Column("sealed_reference", sa.LargeBinary, nullable=False),
        sa.Column("sealed_title", sa.LargeBinary, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("opened_by", sa.String, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
    )
    op.create_index(
        "one_open_procedure_a_room",
        "procedures",
        ["room"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("procedures_by_time", "procedures", ["opened_at"])
    op.create_table(
        "procedure_staff",
        sa.Column("procedure", sa.String, sa.ForeignKey("procedures.id"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("sealed_name", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("procedure", "position"),
    )


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("procedure", sa.String, sa.ForeignKey("procedures.id"), nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("decision", sa.String, nullable=False),
        sa.Column("sealed_by", sa.LargeBinary, nullable=False),
        sa.Column("relation", sa.String, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("text_version", sa.String, nullable=False),
        sa.Column("language", sa.String, nullable=False),
        sa.Column("decided_at", sa.BigInteger, nullable=False),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
        sa.Column("recorded_by", sa.String, nullable=False),
    )
    op.create_index("consents_by_procedure", "consents", ["procedure", "purpose", "id"])
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("procedure", sa.String, sa.ForeignKey("procedures.id"), nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("sealed_reason", sa.LargeBinary, nullable=False),
        sa.Column("broken_at", sa.BigInteger, nullable=False),
        sa.Column("broken_by", sa.String, nullable=False),
        sa.Column("reviewed_at", sa.BigInteger),
        sa.Column("reviewed_by", sa.String),
        sa.Column("sealed_finding", sa.LargeBinary),
    )
    op.create_index("break_glass_by_procedure", "break_glass", ["procedure", "purpose", "id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("zone_minutes", sa.Integer, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("role", sa.String),
        sa.Column("sealed_actor_name", sa.LargeBinary),
        sa.Column("address_class", sa.String),
        sa.Column("room", sa.String),
        sa.Column("procedure", sa.String),
        sa.Column("subject", sa.String),
        sa.Column("details", sa.String, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("audit_by_room", "audit", ["room", "seq"])
    op.create_index("audit_by_procedure", "audit", ["procedure", "seq"])
    op.create_index("audit_by_time", "audit", ["time"])
    op.create_table(
        "audit_checkpoints",
        sa.Column("seq", sa.Integer, sa.ForeignKey("audit.seq"), primary_key=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
