"""
Golden files: what is made from a contract, as text that a reviewer reads.

A test compares; `make golden` (REDCLIFF_GOLDEN=rewrite) writes the files anew, and the diff says
what a change does.
"""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent
REWRITE = os.environ.get("REDCLIFF_GOLDEN") == "rewrite"


def check_golden(path: str, text: str) -> None:
    """
    The file `path` under tests/golden holds exactly `text`.

    A file that does not exist fails too, until `make golden` has written it.
    """
    file = FOLDER / path
    if REWRITE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    held = file.read_text("utf-8") if file.exists() else ""
    assert text == held, f"tests/golden/{path} differs; read the diff, then `make golden`"
