"""
One process of Airflow: `python -m jobs.stack.airflow_process DATABASE api-server …`.

The API server starts first, and brings the database up to date before it does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MIGRATES = "api-server"


def main(database: str, *words: str) -> None:
    """Become Airflow; never returns."""
    airflow = str(Path(sys.executable).with_name("airflow"))
    if words[0] == MIGRATES:
        _make(database)
        subprocess.run([airflow, "db", "migrate"], check=True, stdin=subprocess.DEVNULL)
    os.execv(airflow, [airflow, *words])


def _make(database: str) -> None:
    """Make the database when it is not there."""
    import psycopg.sql
    from airflow.configuration import conf
    from sqlalchemy import make_url

    url = make_url(conf.get("database", "sql_alchemy_conn")).set(
        drivername="postgresql", database="postgres"
    )
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        known = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(known, (database,)).fetchone() is None:
            name = psycopg.sql.Identifier(database)
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
