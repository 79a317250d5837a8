"""Recordings with their segments, legal holds, deletions, and bookmarks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds tables only."""
    _recordings()
    _keeping()
    op.create_table(
        "bookmarks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("procedure", sa.String, sa.ForeignKey("procedures.id"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed_label", sa.LargeBinary, nullable=False),
        sa.Column("made_by", sa.String, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("removed_at", sa.BigInteger),
    )
    op.create_index("bookmarks_by_procedure", "bookmarks", ["procedure", "at"])


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("procedure", sa.String, sa.ForeignKey("procedures.id"), nullable=False),
        sa.Column("room", sa.String, sa.ForeignKey("rooms.id"), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("retention_class", sa.String, nullable=False),
        sa.Column("retain_until", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
    )
    op.create_index("recordings_by_procedure", "recordings", ["procedure"])
    op.create_index("recordings_by_time", "recordings", ["started_at"])
    op.create_table(
        "segments",
        sa.Column("recording", sa.String, sa.ForeignKey("recordings.id"), nullable=False),
        sa.Column("track", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("start_seconds", sa.Float, nullable=False),
        sa.Column("duration_seconds", sa.Float, nullable=False),
        sa.Column("media_type", sa.String, nullable=False),
        sa.Column("plain_bytes", sa.BigInteger, nullable=False),
        sa.Column("encrypted_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("location", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("recording", "track", "number"),
    )


def _keeping() -> None:
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("recording", sa.String, sa.ForeignKey("recordings.id"), nullable=False),
        sa.Column("sealed_reason", sa.LargeBinary, nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("placed_by", sa.String, nullable=False),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("lifted_by", sa.String),
    )
    op.create_index("holds_by_recording", "legal_holds", ["recording"])
    op.create_table(
        "deletions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("recording", sa.String, sa.ForeignKey("recordings.id"), nullable=False),
        sa.Column("sealed_reason", sa.LargeBinary, nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("asked_by", sa.String, nullable=False),
        sa.Column("sealed_asker", sa.LargeBinary, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("confirmed_by", sa.String),
        sa.Column("refused_at", sa.BigInteger),
        sa.Column("refused_by", sa.String),
        sa.Column("certificate", sa.LargeBinary),
    )
    op.create_index("deletions_by_recording", "deletions", ["recording"])
