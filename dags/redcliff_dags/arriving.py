"""
The task that takes in the inbox, and sees to it that what came is loaded.

What one department delivers goes the way of its own DAGs. What comes at once for several (a
morning's inbox, the days after an outage) is a *wave*: one process loads all of it and refreshes
each model once. A task costs Airflow and redcliff seconds each, whatever it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from redcliff_dags.command import TryAgain
from redcliff_dags.events import REFUSED, loads, models, possibly, tell
from redcliff_dags.operators import (
    BUSINESS_DATE,
    DELIVERIES,
    MODELS,
    UNSURE,
    RedcliffOperator,
    ask_officers,
    blocked,
    was_tried,
)
from redcliff_dags.starting import run_id_of, start_run

from catalog.compile.manifest import Manifest

LANDED = "landed"
WAVES = 2
"""So often a wave is tried as one."""


class DeliverInbox(RedcliffOperator):
    """
    Lands what lies in the inbox. A delivery of one batch starts its DAG; a wave is run here.

    A wave that was killed is run once more. One that is killed twice, or fails, is parted: each
    batch and each theme is started in its own DAG, which tries again, and shows what is wrong
    where it is wrong.
    """

    def __init__(self, *, manifest: Manifest, **arguments: Any) -> None:
        super().__init__(words=["deliver"], **arguments)
        self._manifest = manifest

    def execute(self, context: Any) -> None:
        """Land, then load or let load."""
        _, answer = self.call([*self.words, "--json"])
        days = self._days(context, answer)
        if context["ti"].try_number > WAVES:
            self._part(context, days)
        elif len(days) > 1 or was_tried(context):
            self._run(context, days)
        else:
            self._start(context, days)

    def _days(self, context: Any, answer: Mapping[str, Any]) -> dict[str, str]:
        """The last business date that came for each batch: a load takes all days before it."""
        refused, days = 0, dict[str, str]()
        for folder in answer["folders"]:
            refused += folder["outcome"] == REFUSED
            # What an earlier try of this task has landed has come too.
            again = was_tried(context) and folder["status"] == LANDED
            batch = self._manifest.batch_of(folder["dataset"])
            if batch is not None and (again or folder["outcome"] == LANDED):
                days[batch.name] = max(folder["business_date"], days.get(batch.name, ""))
        if refused:
            self.log.warning("%s folders were refused; `redcliff status` says why", refused)
        return days

    def _run(self, context: Any, days: Mapping[str, str]) -> None:
        """Everything that is due, in one process; each table that changed has an event."""
        try:
            code, answer = self.call(["run", "--json"])
        except TryAgain as error:
            if context["ti"].try_number < WAVES:
                raise
            self.log.warning("%s: each batch goes its own way", error)
            self._part(context, days)
            return
        except AirflowException:
            self._part(context, days)
            raise
        ask_officers(answer, self._manifest)
        if code:
            self._part(context, days)
            raise AirflowFailException(blocked(answer))
        unsure = possibly(self._tables(), answer) if was_tried(context) else []
        tell(context, [*unsure, *loads(answer), *models(answer)])

    def _tables(self) -> Iterator[str]:
        """Every table that a wave may change."""
        for batch in self._manifest.batches:
            yield from batch.tables.values()
        for library in self._manifest.libraries:
            yield from library.outputs

    def _part(self, context: Any, days: Mapping[str, str]) -> None:
        """Let each batch and each theme be looked at by itself: nobody knows what was done."""
        if was_tried(context):
            days = dict.fromkeys((batch.name for batch in self._manifest.batches), "")
        self._start(context, days, unsure=True)
        for library in self._manifest.libraries:
            start_run(MODELS.format(library.theme), self._run_id(context, ""), {UNSURE: True})

    def _start(self, context: Any, days: Mapping[str, str], *, unsure: bool = False) -> None:
        for batch, day in sorted(days.items()):
            conf = {BUSINESS_DATE: day or None, UNSURE: unsure}
            start_run(DELIVERIES.format(batch), self._run_id(context, day), conf)

    def _run_id(self, context: Any, day: str) -> str:
        cause = (context["dag_run"].run_id, str(context["ti"].try_number))
        return run_id_of("arrival", day or "all", cause)
