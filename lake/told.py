"""
Which alerts were told: each once, for as long as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from lake.deliveries import utc_now
from lake.state import alerts, reading, writing


@dataclass(frozen=True)
class Standing:
    """Of some subjects those that nobody was told of yet, and told ones that stand no longer."""

    new: frozenset[str]
    ended: frozenset[str]


class Told:
    """The subjects in the state store that people were told of."""

    def __init__(self, state_engine: sa.Engine) -> None:
        self._engine = state_engine

    def compare(self, subjects: Iterable[str]) -> Standing:
        """What is new among the subjects that stand, and what has ended."""
        now = frozenset(subjects)
        with reading(self._engine) as connection:
            before = frozenset(connection.execute(sa.select(alerts.c.subject)).scalars())
        return Standing(now - before, before - now)

    def keep(self, standing: Standing) -> None:
        """Note that people were told of it."""
        with writing(self._engine) as connection:
            connection.execute(alerts.delete().where(alerts.c.subject.in_(sorted(standing.ended))))
            for subject in sorted(standing.new):
                row = {"subject": subject, "since": utc_now()}
                connection.execute(alerts.insert().values(row))
