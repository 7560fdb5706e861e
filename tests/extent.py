"""How much the comparing tests look at: little in `make test`, more in `make nightly`."""

from __future__ import annotations

import os

SCALE = float(os.environ.get("REDCLIFF_SCALE", "0.002"))
"""Of the city that both engines load; 1 has 490,000 residents."""

DAYS = int(os.environ.get("REDCLIFF_DAYS", "2"))
"""So many days the whole city delivers; on one more only some departments do."""

SEEDS = range(int(os.environ.get("REDCLIFF_SEEDS", "1")))
"""Of cities and of random deliveries."""

ALL_KILLS = int(os.environ.get("REDCLIFF_KILLS", "10"))
"""Of runs, at random moments."""

WIDE = SCALE > 0.002
"""Whether Spark also works on small tables as it does on large ones, which takes minutes."""
