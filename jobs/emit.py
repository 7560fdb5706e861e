"""
Sending OpenLineage events: appended to a file, or posted to a collector.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from catalog.errors import EnvironmentProblem
from jobs.post import post_json


def emit(events: Iterable[Mapping[str, Any]], place: str) -> None:
    """
    Send the events to `place`: a URL takes each by POST, a file gets one line for each.

    `EnvironmentProblem` when they cannot be sent. The run that they tell of stands all the same.
    """
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    if place.startswith(("http://", "https://")):
        for line in lines:
            _post(place, line)
        return
    try:
        file = os.open(Path(place), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "a", encoding="utf-8") as opened:
            # One write for all: of several runs that append, none writes into another's line.
            opened.write("".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise EnvironmentProblem(
            f"{place}: lineage cannot be written ({error.strerror}); change the setting lineage"
        ) from error


def _post(url: str, line: str) -> None:
    try:
        post_json(url, line)
    except OSError as error:
        host = urlsplit(url).hostname  # and no more: what follows it may be a token
        raise EnvironmentProblem(
            f"{host}: lineage cannot be sent ({error}); change the setting lineage"
        ) from error
