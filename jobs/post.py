"""
Posting JSON to an address of the profile: a webhook, a collector of lineage.
"""

from __future__ import annotations

import urllib.request

SECONDS = 20.0


def post_json(url: str, text: str) -> None:
    """One POST of a JSON text; `OSError` when nobody answers, or with another code than 2xx."""
    request = urllib.request.Request(
        url, data=text.encode(), headers={"Content-Type": "application/json; charset=utf-8"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS):
        return
