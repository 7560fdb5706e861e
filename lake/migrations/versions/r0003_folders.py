"""Which folders of an inbox have been read, so that nobody reads them again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "folders",
        sa.Column("place", sa.String(1024), primary_key=True),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column(
            "delivery_id",
            sa.String(32),
            sa.ForeignKey("deliveries.delivery_id"),
            nullable=False,
        ),
    )
