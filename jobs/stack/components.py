"""
All components, and the stack that a profile describes.
"""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.errors import EnvironmentProblem, UsageError
from jobs.stack.component import Component, Stack
from jobs.stack.record import stack_folder
from lake.addresses import read_section
from lake.servers import CLUSTER
from lake.settings import SECTION, Settings

# In the order in which they start; what a component needs stands before it.
CLASSES = {
    "s3": "jobs.stack.s3:S3",
    "postgres": "jobs.stack.postgres:Postgres",
    "spark": "jobs.stack.spark:Spark",
    "trino": "jobs.stack.trino:Trino",
    "airflow": "jobs.stack.airflow:Airflow",
}


def load_stack(
    settings: Settings, environ: Mapping[str, str], wanted: Sequence[str] | None = None
) -> Stack:
    """
    The stack that the profile describes, with the components that are `wanted` chosen.

    Without `wanted` all of the profile's are; what a chosen one needs is chosen too. Writes
    nothing. `UsageError` names the profile's key or the word that does not fit.
    """
    section = dict(settings.stack)
    if not section:
        raise UsageError(
            f"the profile {settings.profile} has no section {SECTION}; "
            "name one that has: --profile cluster"
        )
    address = _address(section.pop("address", "127.0.0.1"))
    if unknown := [key for key in section if key not in CLASSES]:
        raise UsageError(
            f"{SECTION}: unknown key {', '.join(unknown)}; known: address, {', '.join(CLASSES)}"
        )
    components = {name: _component(name, section[name]) for name in CLASSES if name in section}
    if unknown := [name for name in wanted or () if name not in components]:
        raise UsageError(
            f"there is no component {', '.join(unknown)}; the profile has {', '.join(components)}"
        )
    chosen = set(wanted or components)
    for name in reversed(components):
        if name in chosen:
            chosen.update(components[name].needs)
    if lacking := [name for name in CLASSES if name in chosen and name not in components]:
        raise UsageError(f"{SECTION}: {', '.join(lacking)} is needed and has no section")
    return Stack(
        folder=stack_folder(settings.home),
        site=settings.site,
        address=address,
        environ=environ,
        components=components,
        chosen=tuple(name for name in components if name in chosen),
        settings=settings,
    )


def check_packages(stack: Stack) -> None:
    """`EnvironmentProblem` with every package that a chosen component imports and Python lacks."""
    wanted = [package for name in stack.chosen for package in stack.components[name].packages]
    if lacking := [one for one in wanted if importlib.util.find_spec(one) is None]:
        raise EnvironmentProblem(f"this Python lacks {', '.join(lacking)}; run: {CLUSTER}")


def _component(name: str, keys: Any) -> Component:
    module, _, kind = CLASSES[name].partition(":")
    component: type[Component] = getattr(importlib.import_module(module), kind)
    return read_section(f"{SECTION}.{name}", component, keys or {})


def _address(value: Any) -> str:
    try:
        return str(ipaddress.IPv4Address(str(value)))
    except ValueError as error:
        raise UsageError(
            f"{SECTION}.address: {value!r} is no IPv4 address; write 127.0.0.1"
        ) from error
