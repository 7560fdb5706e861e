"""How much the comparing tests look at: little for a change, more at night."""

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

ROUNDS = int(os.environ.get("REDCLIFF_ROUNDS", "2"))
"""Of two processes that write the same tables on S3."""

CLUSTER_ENGINE = os.environ.get("REDCLIFF_CLUSTER_ENGINE", "embedded")
"""What loads the city on S3; Spark takes a quarter of an hour for a large one."""

WIDE = SCALE > 0.002
"""Whether Spark also works on small tables as it does on large ones, which takes minutes."""
