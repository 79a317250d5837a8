"""How long what is recorded of a procedure is kept: its class."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Everything so far was clinical."""
    op.add_column(
        "procedures", sa.Column("retention_class", sa.String, nullable=False, server_default="clinical")
    )
