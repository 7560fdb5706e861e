"""The ledger of deliveries, plans, refreshes and runs, and the leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", sa.String(32), primary_key=True),
        sa.Column("dataset", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(255), nullable=False),
        sa.Column("business_date", sa.Date, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("released", sa.Boolean, nullable=False),
        sa.Column("ended_by", sa.String(32), sa.ForeignKey("deliveries.delivery_id")),
        sa.Column("contract_hash", sa.String(64)),
        sa.Column("counts", sa.JSON),
        sa.Column("versions", sa.JSON),
        sa.Column("seconds", sa.Float),
    )
    op.create_index("ix_deliveries_dataset", "deliveries", ["dataset", "business_date", "revision"])
    op.create_index("ix_deliveries_status", "deliveries", ["status", "business_date"])
    op.create_table(
        "plans",
        sa.Column(
            "delivery_id",
            sa.String(32),
            sa.ForeignKey("deliveries.delivery_id"),
            primary_key=True,
        ),
        sa.Column("plan", sa.JSON, nullable=False),
    )
    op.create_table(
        "refreshes",
        sa.Column("dataset", sa.String(128), primary_key=True),
        sa.Column("inputs_hash", sa.String(64), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run_date", sa.Date),
        sa.Column("dataset", sa.String(128)),
        sa.Column("engine", sa.String(32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(255)),
        sa.Column("process", sa.String(255)),
        sa.Column("expires_at", sa.Double),
    )
