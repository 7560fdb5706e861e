from __future__ import annotations

import io
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from catalog.vocabulary import Mode
from jobs.demo import DemoReport
from jobs.display import demo_table, models_table, rows_table, shown, table_of
from jobs.refresh import Refreshed
from jobs.run import RunReport
from lake.deliveries import Counts, Delivery, DeliveryStatus
from lake.engine import Answer
from lake.entries import Entry


def rendered(table: Table) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=200).print(table)
    return [line for line in output.getvalue().splitlines() if line.strip()]


def settled(number: int, counts: Counts | None, seconds: float) -> Entry:
    dataset = "population.household_register"
    day = date(2025, 3, 2 + number)
    received = datetime(2025, 3, 4, tzinfo=UTC)
    delivery = Delivery(
        f"{number:032}", dataset, "public_security", day, 1, Mode.SNAPSHOT, (), received
    )
    status = DeliveryStatus.SETTLED if counts else DeliveryStatus.REFUSED
    return Entry(delivery, status, counts=counts, seconds=seconds)


def test_chinese_takes_two_columns_so_that_lines_are_equally_wide() -> None:
    lines = rendered(table_of(("name", "rows"), [("户籍人口登记", 1), ("sex", 20)]))

    assert len({cell_len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "·"),
        (1234567, "1,234,567"),
        (0.25, "0.2"),
        (True, "true"),
        (date(2025, 3, 3), "2025-03-03"),
        (["a", "b"], "a, b"),
        ("[red]as it is[/red]", "[red]as it is[/red]"),
    ],
)
def test_a_value_is_shown_as_people_read_it(value: object, text: str) -> None:
    assert shown(value) == text
    assert text in "".join(rendered(table_of(("value",), [(value,)])))


def test_the_demo_adds_up_the_deliveries_of_a_dataset_beside_its_table() -> None:
    first = Counts(10, 7, 2, 1, 0, 7, 0, 0)
    second = Counts(1000, 990, 10, 0, 3, 90, 900, 0)
    entries = (settled(1, first, 1.5), settled(2, second, 2.0), settled(3, None, 0.0))
    tables = {
        "curated.population__household_register": {"rows": 994, "version": 3},
        "curated.population__household_register__quarantine": {"rows": 12, "version": 2},
        "raw.population__household_register": {"rows": 1010, "version": 2},
        "thematic.population__person": {"rows": 994, "version": 2},
    }
    report = DemoReport("spark", 9.0, entries, tables, {"population.person": 4.0})

    lines = [line.split() for line in rendered(demo_table(report))[2:]]

    register, person = "population.household_register", "population.person"
    curated = "curated.population__household_register"
    assert lines == [
        [register, "1,010", "997", "12", "1", curated, "994", "3", "3.5"],
        [person, "·", "·", "·", "·", "thematic.population__person", "994", "2", "4.0"],
    ]


def test_an_answer_with_two_columns_of_one_name_shows_both() -> None:
    rows = pa.Table.from_arrays([pa.array([1, 2]), pa.array(["x", "y"])], names=["n", "n"])

    shown, count = rows_table(Answer(rows.schema, iter(rows.to_batches())), limit=1)

    assert count == 2
    lines = [line.split() for line in rendered(shown)]

    assert lines[0] == ["n", "n"]
    assert lines[2:] == [["1", "x"]]


def test_a_run_says_of_each_model_what_had_to_be_computed() -> None:
    models = (
        Refreshed("population.person", 2, 1, 0.5, {"thematic.key": 3}, 4, is_partial=True),
        Refreshed("population.household", 7, 0, 0.5, {"thematic.person": 4}, 5),
        Refreshed("geography.division", 0, 0, 0.1),
    )

    lines = rendered(models_table(RunReport("embedded", 1.1, (), models)))

    said = [" ".join(line.split()) for line in lines]
    assert "population.person what changed 2 1 0.5" in said
    assert "population.household all 7 0 0.5" in said
    assert "geography.division nothing 0 0 0.1" in said
