"""Run by Alembic: applies the migrations on the connection that `lake.state` hands over."""

from __future__ import annotations

from alembic import context

from lake.state import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
