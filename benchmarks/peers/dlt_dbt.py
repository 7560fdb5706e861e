"""
A city's day by dlt and dbt-duckdb, as their documentation has it: the peer of `against_dlt_dbt`.

    python dlt_dbt.py PLAN FOLDER DAY

Runs in an environment of its own and knows nothing of redcliff. PLAN is a JSON document of datasets
with their columns and files; in FOLDER the tables and dbt's project lie. dlt reads the files as
Arrow and appends them, as text, to Delta tables (raw); dbt types them and keeps the newest row of
each key (curated), judges persons by ten rules, with the broken ones in a table of their own, and
joins three registers to persons (thematic). dbt's results become Delta tables by a plugin, which
overwrites them: dbt-duckdb itself writes none. There is no ledger, history, feed or receipt.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Dataset = dict[str, Any]

BATCH_ROWS = 50_000

PERSON_RULES = {
    "name_required": "person_name IS NULL",
    "id_required": "citizen_id IS NULL",
    "id_form": "NOT regexp_full_match(citizen_id, '[1-9][0-9]{16}[0-9Xx]')",
    "birth_date_required": "birth_date IS NULL",
    "birth_date_in_future": "birth_date > current_date",
    "birth_date_in_id": "strftime(birth_date, '%Y%m%d') <> substr(citizen_id, 7, 8)",
    "sex_required": "sex_code IS NULL",
    "sex_in_id": "sex_code IN ('1', '2') AND "
    "mod(coalesce(TRY_CAST(substr(citizen_id, 17, 1) AS integer), 0), 2) <> mod("
    "TRY_CAST(sex_code AS integer), 2)",
    "division_form": "NOT regexp_full_match(registered_division_code, '[0-9]{9}([0-9]{3})?')",
    "household_required": "household_number IS NULL",
}

DATES = ("%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日")

PLUGIN = """
from pathlib import Path

import duckdb_extension_delta
import pyarrow as pa
import pyarrow.parquet as pq
from dbt.adapters.duckdb.plugins import BasePlugin
from deltalake import write_deltalake


class Plugin(BasePlugin):
    def configure_connection(self, conn):
        home = Path(duckdb_extension_delta.__file__).parent
        conn.load_extension(str(next(home.rglob("delta.duckdb_extension"))))

    def store(self, target_config):
        written = target_config.location.path
        table = str(Path(written).with_suffix(""))
        reader = pq.ParquetFile(written)
        batches = reader.iter_batches(batch_size=50_000)
        rows = pa.RecordBatchReader.from_batches(reader.schema_arrow, batches)
        write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite")
"""


def main() -> None:
    """One day, as the command line says."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, day = Path(sys.argv[2]), sys.argv[3]
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DO_NOT_TRACK": "1"}
    ingest(plan["datasets"], folder, day)
    transform(plan["datasets"], folder, day)


# --- dlt -------------------------------------------------------------------------------------


def ingest(datasets: list[Dataset], folder: Path, day: str) -> None:
    """Append the day's files to raw."""
    os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "100000"
    import dlt

    pipeline = dlt.pipeline(
        pipeline_name="city",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
        dataset_name="raw",
    )
    resources = [
        dlt.resource(
            _tables(dataset, day),
            name=dataset["table"],
            table_format="delta",
            write_disposition="append",
        )
        for dataset in datasets
        if dataset["files"].get(day)
    ]
    pipeline.run(resources)


def _tables(dataset: Dataset, day: str) -> Iterator[Any]:
    import pyarrow as pa

    for file in dataset["files"][day]:
        for table in READERS[dataset["format"]](dataset, file):
            columns = {}
            for column in dataset["delivered"]:
                header = next((h for h in column["headers"] if h in table.column_names), None)
                columns[column["name"]] = (
                    table.column(header) if header else pa.nulls(len(table), pa.string())
                )
            columns["business_date"] = pa.repeat(pa.scalar(day), len(table))
            yield pa.table(columns)


def _csv(dataset: Dataset, file: str) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv

    for opened in _opened(file):
        reader = csv.open_csv(
            pa.PythonFile(opened, "r"),
            read_options=csv.ReadOptions(encoding=dataset["encoding"], block_size=8 << 20),
            parse_options=csv.ParseOptions(
                newlines_in_values=True, invalid_row_handler=lambda row: "skip"
            ),
            convert_options=csv.ConvertOptions(
                column_types={
                    h: pa.string() for column in dataset["delivered"] for h in column["headers"]
                },
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _opened(file: str) -> Iterator[Any]:
    if not file.endswith(".zip"):
        with Path(file).open("rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield member


def _jsonl(dataset: Dataset, file: str) -> Iterator[Any]:
    import duckdb

    headers = {h for column in dataset["delivered"] for h in column["headers"]}
    with Path(file).open(encoding="utf-8") as lines:
        columns = {name: "VARCHAR" for name in json.loads(next(lines)) if name in headers}
    relation = duckdb.connect().read_json(
        file, columns=columns, format="newline_delimited", ignore_errors=True
    )
    yield relation.to_arrow_table()


def _xlsx(dataset: Dataset, file: str) -> Iterator[Any]:
    from python_calamine import CalamineWorkbook

    headers = {h for column in dataset["delivered"] for h in column["headers"]}
    sheet = CalamineWorkbook.from_path(file).get_sheet_by_index(0)
    names: list[str] = []
    rows: list[list[Any]] = []
    for row in sheet.iter_rows():
        if names:
            rows.append(row)
        elif headers & {str(cell).strip() for cell in row}:
            names = [str(cell).strip() for cell in row]
        if len(rows) == BATCH_ROWS:
            yield _of_cells(names, rows)
            rows = []
    if rows:
        yield _of_cells(names, rows)


def _of_cells(names: list[str], rows: list[list[Any]]) -> Any:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    return pa.table(
        {
            name: pa.array(["" if v is None else str(v) for v in cells], pa.string())
            for name, cells in zip(names, columns, strict=True)
        }
    )


def _geojson(dataset: Dataset, file: str) -> Iterator[Any]:
    import pyarrow as pa

    document = json.loads(Path(file).read_text(encoding=dataset["encoding"]))
    records = [
        {k: None if v is None else str(v) for k, v in feature["properties"].items()}
        for feature in document["features"]
    ]
    names = sorted({name for record in records for name in record})
    yield pa.table({n: pa.array([r.get(n) for r in records], pa.string()) for n in names})


READERS = {"csv": _csv, "jsonl": _jsonl, "xlsx": _xlsx, "geojson": _geojson}


# --- dbt -------------------------------------------------------------------------------------


def transform(datasets: list[Dataset], folder: Path, day: str) -> None:
    """Make curated and thematic of raw; what the day did not touch stays as it is."""
    project = folder / "dbt"
    arrived = {dataset["table"] for dataset in datasets if dataset["files"].get(day)}
    if not project.exists():
        _write_project(datasets, folder, project)
    from dbt.cli.main import dbtRunner

    sys.path.insert(0, str(project))
    persons = {"population__household_register", "population__insurance_register"}
    chosen = arrived | ({"person", "person_quarantine"} if arrived & persons else set())
    place = ["--project-dir", str(project), "--profiles-dir", str(project)]
    said = ["run", *place, "--quiet", "--threads", "2", "--vars", json.dumps({"day": day})]
    result = dbtRunner().invoke([*said, "--select", *sorted(chosen)])
    if not result.success:
        raise SystemExit(f"dbt failed: {result.exception or result.result}")


def _write_project(datasets: list[Dataset], folder: Path, project: Path) -> None:
    models = project / "models"
    models.mkdir(parents=True)
    (folder / "lake" / "curated").mkdir(parents=True)
    (project / "delta_store.py").write_text(PLUGIN, encoding="utf-8")
    (project / "dbt_project.yml").write_text(
        json.dumps(
            {"name": "city", "version": "1.0.0", "profile": "city", "model-paths": ["models"]}
        )
    )
    target = {
        "type": "duckdb",
        "path": str(folder / "city.duckdb"),
        "threads": 2,
        "settings": {"preserve_insertion_order": False},
        "plugins": [{"module": "delta_store", "alias": "delta_store"}],
    }
    (project / "profiles.yml").write_text(
        json.dumps({"city": {"target": "dev", "outputs": {"dev": target}}})
    )
    for dataset in datasets:
        name = dataset["table"]
        has_rules = name == "population__household_register"
        (models / f"{name}.sql").write_text(
            _config(folder, name) + _curated(folder, dataset, broken=False if has_rules else None)
        )
        if has_rules:
            (models / "person_quarantine.sql").write_text(
                _config(folder, "person_quarantine") + _curated(folder, dataset, broken=True)
            )
    (models / "person.sql").write_text(_config(folder, "person") + PERSON)


def _config(folder: Path, name: str) -> str:
    at = folder / "lake" / "curated" / f"{name}.parquet"
    return f"{{{{ config(materialized='external', plugin='delta_store', location='{at}') }}}}\n"


def _typed(column: dict[str, str]) -> str:
    text = f'''nullif(trim("{column["name"]}"), '')'''
    match column["type"]:
        case "TEXT":
            return f'{text} AS "{column["name"]}"'
        case "DATE":
            forms = ", ".join(f"'{form}'" for form in DATES)
            value = (
                f"coalesce(TRY_CAST({text} AS DATE), CAST(try_strptime({text}, [{forms}]) AS DATE))"
            )
            return f'{value} AS "{column["name"]}"'
        case other:
            return f'TRY_CAST({text} AS {other}) AS "{column["name"]}"'


def _curated(folder: Path, dataset: Dataset, broken: bool | None) -> str:
    """Typed, the newest row of each key; of the persons those that break no rule, or any."""
    raw = folder / "lake" / "raw" / dataset["table"]
    typed = ",\n    ".join(_typed(column) for column in dataset["delivered"])
    day = "{{ var('day') }}"
    where = f"WHERE business_date = '{day}'" if dataset["mode"] == "snapshot" else ""
    key = ", ".join(f'"{name}"' for name in dataset["key"])
    newest = f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY business_date DESC) = 1"
    query = f"SELECT\n    {typed},\n    business_date\nFROM delta_scan('{raw}') {where}\n{newest}"
    if broken is None:
        return query
    cases = ",\n    ".join(
        f"CASE WHEN {sql} THEN '{name}' END" for name, sql in PERSON_RULES.items()
    )
    judged = (
        f"SELECT *, list_filter([\n    {cases}], lambda x: x IS NOT NULL) AS broken_rules\n"
        f"FROM ({query})"
    )
    return f"SELECT * FROM ({judged}) WHERE len(broken_rules) {'>' if broken else '='} 0"


PERSON = """
SELECT
    coalesce(h.citizen_id, i.citizen_id) AS citizen_id,
    coalesce(h.person_name, i.person_name) AS person_name,
    coalesce(h.sex_code, i.sex_code) AS sex_code,
    coalesce(h.birth_date, i.birth_date) AS birth_date,
    h.household_number, h.registered_division_code, h.registered_address,
    i.insured_person_id, f.register_id AS floating_register_id
FROM (SELECT * FROM {{ ref('population__household_register') }}
      QUALIFY row_number() OVER (PARTITION BY citizen_id ORDER BY register_id) = 1) AS h
FULL JOIN (SELECT * FROM {{ ref('population__insurance_register') }}
      QUALIFY row_number() OVER (PARTITION BY citizen_id ORDER BY insured_person_id) = 1) AS i
    ON h.citizen_id = i.citizen_id
LEFT JOIN (SELECT * FROM {{ ref('population__floating_register') }}
      QUALIFY row_number() OVER (PARTITION BY citizen_id ORDER BY register_id) = 1) AS f
    ON f.citizen_id = coalesce(h.citizen_id, i.citizen_id)
"""

if __name__ == "__main__":
    main()
