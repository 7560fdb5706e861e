"""
Which part of a run is wanted: some deliveries, some models, or all of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from catalog.catalog import Catalog
from catalog.contract import Contract
from catalog.errors import UsageError
from catalog.models import model_inputs, model_order
from catalog.naming import split_table_name
from catalog.vocabulary import Theme


@dataclass(frozen=True)
class Selection:
    """
    Deliveries of `datasets` alone (with what they look up) and the models that read them; models of
    `theme` alone; without `loads` no delivery is loaded, without `models` no model is refreshed.

    Empty `datasets` and no `theme` mean all.
    """

    datasets: frozenset[str] = frozenset()
    theme: Theme | None = None
    loads: bool = True
    models: bool = True

    def deliveries(self, catalog: Catalog) -> frozenset[str] | None:
        """The datasets whose deliveries are wanted, looked-up ones too; None for all."""
        if not self.datasets:
            return None
        wanted: set[str] = set()
        waiting = set(self.datasets)
        while waiting:
            wanted |= waiting
            waiting = {name for one in waiting for name in catalog.get(one).looked_up} - wanted
        return frozenset(wanted)

    def affected(self, catalog: Catalog) -> list[Contract]:
        """The thematic datasets whose models are to be looked at, inputs before readers."""
        ordered = model_order(catalog)
        touched = set(self.datasets)
        for contract in ordered:
            if {split_table_name(t)[1] for t in model_inputs(catalog, contract)} & touched:
                touched.add(contract.id)
        return [
            c
            for c in ordered
            if (not self.datasets or c.id in touched) and self.theme in (None, c.theme)
        ]

    def touches(self, catalog: Catalog) -> frozenset[str] | None:
        """The datasets whose tables a run of this selection may write; None for all."""
        if self == EVERYTHING:
            return None
        loaded = self.deliveries(catalog) if self.loads else frozenset()
        if loaded is None:
            return None
        made = {c.id for c in self.affected(catalog)} if self.models else set()
        return loaded | made

    def to_json(self) -> dict[str, Any]:
        """The selection for JSON."""
        return {
            "datasets": sorted(self.datasets),
            "theme": self.theme.value if self.theme else None,
            "loads": self.loads,
            "models": self.models,
        }


EVERYTHING = Selection()


def select(
    catalog: Catalog,
    *,
    datasets: Iterable[str] = (),
    provider: str | None = None,
    theme: str | None = None,
    only: str | None = None,
) -> Selection:
    """
    The selection that the words of a command line mean.

    `UsageError` and `ContractNotFound` name the word that does not fit, before anything starts.
    """
    wanted = {catalog.get(dataset).id for dataset in datasets}
    if provider is not None:
        if provider not in catalog.departments:
            raise UsageError(
                f"there is no department {provider!r}; conf/departments.yaml lists them"
            )
        own = {c.id for c in catalog.sources() if c.provider == provider}
        if not own:
            raise UsageError(f"{provider} provides no dataset; see schemas/")
        wanted |= own
    if theme is not None and theme not in list(Theme):
        raise UsageError(f"there is no theme {theme!r}; choose one of: {', '.join(Theme)}")
    if only not in (None, "loads", "models"):
        raise UsageError(f"--only takes loads or models, not {only!r}")
    return Selection(
        frozenset(wanted), Theme(theme) if theme else None, only != "models", only != "loads"
    )
