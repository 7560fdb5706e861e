"""From which versions of its inputs a thematic table was computed; there was but their hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # What was kept is not enough to go on from: each table is computed whole once more.
    op.drop_table("refreshes")
    op.create_table(
        "refreshes",
        sa.Column("dataset", sa.String(128), primary_key=True),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
