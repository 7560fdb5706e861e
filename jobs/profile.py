"""
The settings of a command: what the profile says, and where it says nothing, what `up` serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lake.settings import Settings, load_settings


def settle(profile: str | None, home: Path | None, environ: Mapping[str, str]) -> Settings:
    """All settings (`load_settings`), with the addresses of the profile's own servers."""
    settings = load_settings(profile, home, environ)
    if not settings.stack:
        return settings
    from jobs.stack.components import load_stack

    stack = load_stack(settings, environ)
    served = {
        key: value
        for component in stack.components.values()
        for key, value in component.serves(stack).items()
    }
    return load_settings(profile, home, environ, served)
