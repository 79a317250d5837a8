"""Where on a recording's axis a bookmark lies: clocks are set while people are operated on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Those so far are found by their time of day."""
    op.add_column("bookmarks", sa.Column("recording", sa.String))
    op.add_column("bookmarks", sa.Column("axis_seconds", sa.Float))
