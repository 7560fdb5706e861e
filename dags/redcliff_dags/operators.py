"""
The tasks: each is one call of `redcliff`, and tells Airflow what came of it.

    RedcliffOperator(task_id="…", words=["run", "--theme", "credit"])

is all that a DAG of one's own needs; the others know what to say and what to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, DagRunState
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from redcliff_dags.command import Misused, Running
from redcliff_dags.events import (
    ATTENTION,
    HELD,
    REFUSED,
    Change,
    inputs_asset,
    loads,
    models,
    possibly,
    table_asset,
    tell,
)
from redcliff_dags.starting import run_id_of, start_run

from catalog.compile.manifest import Batch, Library, Manifest

DELIVERIES, MODELS, RELEASES = "deliveries__{}", "models__{}", "releases"
"""The ids of DAGs, by batch and by theme."""

BUSINESS_DATE = "business_date"
"""What a started run is for; a scheduled one and one of a backfill have a partition."""

RELEASE, KEEP = "Release", "Keep held"
"""What an officer may answer."""


def was_tried(context: Any) -> bool:
    """Whether an earlier try of the task may have done its work and told nobody."""
    tries: int = context["ti"].try_number
    return tries > 1


def tell_changes(context: Any, changes: Sequence[Change], libraries: Iterable[Library]) -> None:
    """
    An event of each table that changed, and one of the inputs of each theme that reads any of them.

    All events of a run for a partition have that partition, and those of a theme's inputs must
    have none: there the runs of the themes are started.
    """
    changed = {change.asset.name for change in changes}
    themes = [one.theme for one in libraries if changed.intersection(one.inputs)]
    day = context["dag_run"].partition_key
    if day is None:
        changes = [*changes, *(Change(inputs_asset(one), {}, frozenset()) for one in themes)]
    tell(context, changes)
    for theme in themes if day else ():
        cause = [context["dag_run"].run_id, str(context["ti"].try_number)]
        start_run(MODELS.format(theme), run_id_of(context["ti"].dag_id, day, cause), {})


class RedcliffOperator(BaseOperator):
    """
    Runs `redcliff` with `words`, and with `--json` for a subclass that `reads` the answer.

    Exit code 3 is tried again with growing pauses, 1 and 2 fail at once with redcliff's words.
    What it answered goes nowhere unless a subclass tells it: XCom holds no data of ours.
    """

    reads: ClassVar[bool] = False
    template_fields: ClassVar[Sequence[str]] = ("words",)
    ui_color = "#f4e3d7"

    def __init__(self, *, words: Sequence[str] = (), **arguments: Any) -> None:
        super().__init__(
            **{
                "retries": 8,
                "retry_delay": timedelta(seconds=10),
                "retry_exponential_backoff": True,
                "max_retry_delay": timedelta(minutes=10),
                "do_xcom_push": False,
                **arguments,
            }
        )
        self.words = list(words)
        self._running: Running | None = None

    def execute(self, context: Any) -> None:
        """Run it and tell; a code of 1 with an answer fails after it was told."""
        asked = ["--json"] if self.reads else []
        self._running = Running([*self.said(context), *asked], self.log)
        try:
            code, answer = self._running.run()
        except Misused as error:
            self.misused(str(error))
            raise
        self.tell(context, answer)
        if code:
            raise AirflowFailException(self.failure(answer))

    def said(self, context: Any) -> list[str]:
        """The words of this run."""
        return self.words

    def tell(self, context: Any, answer: Mapping[str, Any]) -> None:
        """Events, and runs of other DAGs, that follow from the answer."""

    def misused(self, told: str) -> None:
        """What redcliff said of words that do not fit; raise something else than a failure here."""

    def failure(self, answer: Mapping[str, Any]) -> str:
        """Why a run that answered has failed all the same."""
        return "redcliff ended with exit code 1; its words stand above"

    def on_kill(self) -> None:
        """The child does not outlive the task."""
        if self._running is not None:
            self._running.stop()


class DeliverInbox(RedcliffOperator):
    """Lands what lies in the inbox, and starts the load of every batch and date that came."""

    reads = True

    def __init__(self, *, manifest: Manifest, **arguments: Any) -> None:
        super().__init__(words=["deliver"], **arguments)
        self._batches = {id_: batch.name for batch in manifest.batches for id_ in batch.tables}

    def tell(self, context: Any, answer: Mapping[str, Any]) -> None:
        """One run for each batch with a new delivery, up to the last day that came for it."""
        landed: dict[str, list[Mapping[str, Any]]] = {}
        refused, tried = 0, was_tried(context)
        for folder in answer["folders"]:
            refused += folder["outcome"] == REFUSED
            # What an earlier try of this task has landed has come too.
            new = folder["outcome"] == "landed" or (tried and folder["status"] == "landed")
            if new and folder["dataset"] in self._batches:
                landed.setdefault(self._batches[folder["dataset"]], []).append(folder)
        if refused:
            self.log.warning("%s folders were refused; `redcliff status` says why", refused)
        for batch, folders in sorted(landed.items()):
            # A load takes all days up to its own, in their order.
            day = max(folder["business_date"] for folder in folders)
            run_id = run_id_of("arrival", day, [folder["delivery_id"] for folder in folders])
            start_run(DELIVERIES.format(batch), run_id, {BUSINESS_DATE: day})


class LoadBatch(RedcliffOperator):
    """
    Loads all landed deliveries of a batch up to the run's business date, in one process.

    What is held or refused does not fail it: it is told as an event, and a held delivery asks for
    a decision. A rule that blocks the load fails it, with the rule's name.
    """

    reads = True

    def __init__(self, *, batch: Batch, manifest: Manifest, **arguments: Any) -> None:
        outlets = [*map(table_asset, batch.tables.values()), *ATTENTION.values()]
        super().__init__(outlets=outlets, **arguments)
        self._libraries = manifest.libraries
        self._batch = batch
        self._closed_days = frozenset(() if batch.is_hourly else manifest.closed_days)
        # What rows are judged by is loaded along, whoever provides it.
        self._loadable = [table for one in manifest.batches for table in one.tables.values()]

    def said(self, context: Any) -> list[str]:
        """The datasets of the batch, up to the run's business date; all when it has none."""
        run = context["dag_run"]
        day = run.partition_key or (run.conf or {}).get(BUSINESS_DATE)
        by_calendar = run.run_type == "scheduled"
        if by_calendar and day in self._closed_days:
            raise AirflowSkipException(f"offices were closed on {day}: nothing is due")
        datasets = [word for id_ in self._batch.datasets for word in ("--dataset", id_)]
        return ["run", "--only", "loads", *datasets, *(("--date", day) if day else ())]

    def tell(self, context: Any, answer: Mapping[str, Any]) -> None:
        """An event for each table that changed; a run that asks for each held delivery."""
        unsure = self._loadable if was_tried(context) else ()
        tell_changes(context, [*possibly(unsure, answer), *loads(answer)], self._libraries)
        for delivery in answer["deliveries"]:
            if delivery["status"] not in ATTENTION:
                continue
            self.log.warning(
                "%s %s is %s (%s); `redcliff status --dataset %s` says why",
                *(delivery["dataset"], delivery["business_date"], delivery["status"]),
                *(delivery["delivery_id"], delivery["dataset"]),
            )
            if delivery["status"] == HELD:
                asked = ("dataset", "delivery_id", "business_date", "received", "quarantined")
                conf = {name: delivery[name] for name in asked}
                conf["batch"] = self._batch.name
                start_run(RELEASES, f"held__{delivery['delivery_id']}", conf)

    def failure(self, answer: Mapping[str, Any]) -> str:
        """The rules that blocked: counts and names, as `redcliff` told them."""
        held = [d for d in answer["deliveries"] if d["status"] == HELD]
        return "; ".join(f"{d['dataset']} {d['business_date']}: {d['reason']}" for d in held)


class RefreshLibrary(RedcliffOperator):
    """
    Refreshes the models of a theme whose inputs have changed: which, redcliff itself knows.

    The run date is redcliff's too (the newest business date): a late delivery does not turn the
    clock back. Tables that changed are told, for the themes that read them.
    """

    reads = True

    def __init__(self, *, library: Library, manifest: Manifest, **arguments: Any) -> None:
        words = ["run", "--only", "models", "--theme", library.theme]
        outlets = [table_asset(table) for table in library.outputs]
        super().__init__(words=words, outlets=outlets, **arguments)
        self._library = library
        self._libraries = manifest.libraries

    def tell(self, context: Any, answer: Mapping[str, Any]) -> None:
        """An event for each table that changed."""
        for model, awaited in answer["waiting"].items():
            self.log.warning("%s waits for %s", model, ", ".join(awaited))
        unsure = self._library.outputs if was_tried(context) else ()
        tell_changes(context, [*possibly(unsure, answer), *models(answer)], self._libraries)

    def execute(self, context: Any) -> None:
        """
        Leave the work to the next run of this DAG where one is queued already: it sees everything
        that this one would see. But what an earlier try may have done has still to be told.
        """
        task_instance = context["ti"]
        queued = [DagRunState.QUEUED.value]
        count = task_instance.get_dr_count(dag_id=task_instance.dag_id, states=queued)
        if count and not was_tried(context):
            raise AirflowSkipException("another run of this theme is queued and takes this along")
        super().execute(context)


class RecordDecision(RedcliffOperator):
    """
    Writes an officer's decision on a held delivery into redcliff's own records, and loads it.

    The decision of record is there, not in Airflow. What has been decided otherwise meanwhile, or
    was ended by a newer delivery, stands: redcliff says so, and the task is skipped.
    """

    reads = True

    def __init__(self, *, asked: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._asked = asked

    def said(self, context: Any) -> list[str]:
        """Release, or keep held; by whom."""
        response = context["ti"].xcom_pull(task_ids=self._asked)
        by = (response.get("responded_by_user") or {}).get("name") or "airflow"
        keep = [] if response["chosen_options"] == [RELEASE] else ["--keep"]
        return ["release", context["dag_run"].conf["delivery_id"], *keep, "--by", by]

    def tell(self, context: Any, answer: Mapping[str, Any]) -> None:
        """A released delivery is loaded at once."""
        if answer["decision"] == "released":
            day, batch = answer["business_date"], context["dag_run"].conf["batch"]
            run_id = run_id_of("release", day, [answer["delivery_id"]])
            start_run(DELIVERIES.format(batch), run_id, {BUSINESS_DATE: day})

    def misused(self, told: str) -> None:
        """It is no longer held: nothing is left to decide."""
        raise AirflowSkipException(told)
