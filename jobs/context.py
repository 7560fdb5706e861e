"""
What a run works with; made once by `jobs.run` and passed down.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog.catalog import Catalog
from lake.engine import Engine
from lake.landing import Landing
from lake.leases import Leases
from lake.ledger import Ledger
from lake.settings import Settings
from lake.tables import Tables


@dataclass(frozen=True)
class Context:
    """The site, the home and the engine of one run."""

    settings: Settings
    catalog: Catalog
    engine: Engine
    tables: Tables
    ledger: Ledger
    landing: Landing
    leases: Leases
