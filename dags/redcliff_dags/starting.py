"""
Starting runs of other DAGs from within a task, several in one process.

Airflow's `TriggerDagRunOperator` starts one run a task, and a task costs a process of one to two
seconds. This sends the message that it sends. What the run is for stands in its `conf`: in 3.3.2
a task cannot name a partition (the supervisor drops the message's `partition_key`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowException, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

log = logging.getLogger(__name__)


def start_run(dag_id: str, run_id: str, conf: Mapping[str, Any]) -> None:
    """Start a run of a DAG, once: a run of that id that is there already is left as it is."""
    answer = task_runner.SUPERVISOR_COMMS.send(
        TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf))
    )
    if isinstance(answer, ErrorResponse):
        if answer.error == ErrorType.DAGRUN_ALREADY_EXISTS:
            log.info("%s: the run %s is there already", dag_id, run_id)
            return
        raise AirflowException(f"{dag_id} was not started: {answer.error} {answer.detail}")
    log.info("started %s, run %s", dag_id, run_id)


def run_id_of(cause: str, day: str, delivery_ids: Iterable[str]) -> str:
    """The id of the run that these deliveries cause: a second try of a task starts none twice."""
    told = hashlib.sha256(" ".join(sorted(delivery_ids)).encode()).hexdigest()[:12]
    return f"{cause}__{day}__{told}"
