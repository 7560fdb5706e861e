"""
The command line: `redcliff <command>`. What a command does stands in a module of its own, which
is imported when the command runs; here are words, options, tables and exit codes.
"""

from __future__ import annotations

import gc
import json
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.answer import answer, end, keep_stdout_clean, wants_json
from jobs.exits import FAILED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from catalog.catalog import Catalog
    from jobs.progress import Progress
    from lake.settings import Settings

CLUSTER = "cluster"
"""The profile that `up` takes when none is named."""

BLOCKED = "blocks the load"
"""What the reason of a delivery says that a rule with `block: load` holds."""

NEXT_STEPS = (
    "status",
    'sql "SHOW TABLES FROM thematic"',
    'sql "SELECT division_name, registered_person_count, household_count '
    'FROM thematic.population__town_indicator ORDER BY division_code"',
    'sql "SELECT _file, _row_number, _broken_rules, _record '
    'FROM curated.benefit__subsidy_payment__quarantine"',
    "run",
)
"""
What the demo proposes: where things stand, what libraries there are, one of them, what was
rejected and why, a rerun.
"""


class Format(StrEnum):
    """How `sql` answers."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"


class Server(StrEnum):
    """Who answers `sql` instead of an engine."""

    TRINO = "trino"


app = typer.Typer(
    name="redcliff",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
city = typer.Typer(help="The made-up city.", rich_markup_mode=None)
contracts = typer.Typer(help="The contracts of the site.", rich_markup_mode=None)
app.add_typer(city, name="city")
app.add_typer(contracts, name="contracts")

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
Home = Annotated[Path | None, typer.Option(help="Where the data lies (REDCLIFF_HOME, ./var).")]
Profile = Annotated[str | None, typer.Option(help="A profile of conf/, or a file.")]
ClusterProfile = Annotated[
    str | None, typer.Option(help="A profile of conf/, or a file; here `cluster` unless set.")
]
Engine = Annotated[str | None, typer.Option(help="The engine, instead of the profile's.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], metavar="YYYY-MM-DD")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 when anything is refused.")]
Dataset = Annotated[str | None, typer.Option(help="Only this dataset, e.g. population.person.")]


def main() -> None:
    """The entry point: every error ends here, as words on stderr and as an exit code."""
    if wants_json(sys.argv) or any(word.startswith("--format") for word in sys.argv):
        keep_stdout_clean()
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has had enough; nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except BaseException as error:
        code = end(error)
    gc.freeze()  # the interpreter would look through all that is left, for half a second
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"redcliff {version('redcliff')}")
        raise typer.Exit


@app.callback()
def redcliff(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """赤壁 redcliff: department deliveries become a city's trusted libraries."""


@app.command()
def doctor(
    json_: Json = False,
    home: Home = None,
    profile: Profile = None,
    engine: Engine = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch Delta's jars for Spark if missing.")
    ] = False,
) -> int:
    """Say what this machine lacks, and the one command that mends it."""
    from jobs.display import checks_table
    from jobs.doctor import examine

    checks = examine(os.environ, profile=profile, home=home, engine=engine, fetch=fetch)
    ok = all(check.ok for check in checks)
    answer(json_, {"ok": ok, "checks": [c.to_json() for c in checks]}, checks_table(checks))
    return 0 if ok else FAILED


@app.command()
def demo(
    scale: Annotated[float, typer.Option(help="1 has 490,000 residents.", min=0.0001)] = 0.02,
    days: Annotated[int, typer.Option(help="Days of deliveries.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="Decides everything in the city.")] = 1,
    engine: Engine = None,
    home: Home = None,
    profile: Profile = None,
    json_: Json = False,
) -> int:
    """Make a small city, deliver and run its days, show the libraries."""
    from jobs import display
    from jobs.demo import City, demo, demo_settings

    wanted = City(scale, days, seed)
    settings = demo_settings(wanted, profile=profile, home=home, engine=engine, environ=os.environ)
    report = demo(settings, _catalog(settings), wanted, _progress())
    document = report.to_json()
    answer(
        json_,
        document,
        display.demo_table(report),
        *_reasons(document["deliveries"]),
        f"{report.engine}, {report.seconds:.1f} s. What to try next:",
        *(f"  redcliff {step}{_same_place(home, profile)}" for step in NEXT_STEPS),
    )
    return 0


@city.command("generate")
def city_generate(
    out: Annotated[Path, typer.Option(help="A folder; gets inbox/ and truth/.")],
    scale: Annotated[float, typer.Option(help="1 has 490,000 residents.", min=0.0001)] = 0.02,
    days: Annotated[int, typer.Option(help="Days of deliveries.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="Decides everything in the city.")] = 1,
    start: Day = None,
    json_: Json = False,
) -> int:
    """Generate a city that delivers as departments do, and its truth."""
    from jobs.city import generate
    from jobs.demo import FIRST_DAY

    report = generate(
        _site_catalog(),
        out,
        scale=scale,
        days=days,
        seed=seed,
        start=start.date() if start else FIRST_DAY,
        progress=_progress(),
    )
    answer(json_, report.to_json(), f"{out}: {days} days of a city at scale {scale}, seed {seed}")
    return 0


@contracts.command("check")
def contracts_check(json_: Json = False) -> int:
    """Check contracts, code tables and models: all findings at once."""
    from jobs.contracts import check
    from lake.settings import find_site

    site = find_site(os.environ)
    findings = check(site)
    told = [str(finding) for finding in findings]
    document = {"site": str(site), "findings": [asdict(finding) for finding in findings]}
    count = f"{len(findings)} findings in {site}" if findings else f"nothing is wrong in {site}"
    answer(json_, document, *told, count)
    return FAILED if findings else 0


@contracts.command("compile")
def contracts_compile(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Some datasets; default: all.")
    ] = None,
    target: Annotated[str, typer.Option(help="What to compile to: delta, trino, dags.")] = "delta",
    out: Annotated[
        Path | None, typer.Option(help="A file for the target dags, for the scheduler.")
    ] = None,
    json_: Json = False,
) -> int:
    """Show what follows from contracts, e.g. the DDL of their tables."""
    from catalog.errors import UsageError
    from jobs.contracts import DAGS, compile_contract, compile_dags

    if target != DAGS and out is not None:
        raise UsageError(f"--out goes with --target {DAGS} alone")
    if target == DAGS and datasets:
        raise UsageError(f"the target {DAGS} follows from the whole site; name no dataset")
    catalog = _site_catalog()
    if target == DAGS:
        document = compile_dags(catalog, out).to_json()
        shown = json.dumps(document, ensure_ascii=False, indent=1) if out is None else f"{out}"
        answer(json_, document, shown)
        return 0
    texts = {id_: compile_contract(catalog, id_, target) for id_ in datasets or catalog.contracts}
    answer(json_, {"target": target, "compiled": texts}, *texts.values())
    return 0


@app.command()
def deliver(
    folder: Annotated[
        Path | None,
        typer.Argument(help="<department>/<dataset>/<date>/…; default: the profile's inbox."),
    ] = None,
    strict: Strict = False,
    home: Home = None,
    profile: Profile = None,
    json_: Json = False,
) -> int:
    """Land what departments have laid down in an inbox."""
    from jobs import display
    from jobs.deliver import deliver
    from jobs.door import Outcome

    settings = _settings(profile, home)
    report = deliver(settings, _catalog(settings), folder or settings.inbox, _progress())
    told = [f"{row.outcome}: {row.folder}: {row.reason}" for row in report.rows if row.reason]
    answer(json_, report.to_json(), display.deliver_table(report), *told)
    return FAILED if strict and report.count(Outcome.REFUSED) else 0


@app.command()
def run(
    date_: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Up to this day."),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this dataset and the models that read it; may stand several times."
        ),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Only the datasets of this department.")
    ] = None,
    theme: Annotated[str | None, typer.Option(help="Only the models of this theme.")] = None,
    only: Annotated[
        str | None, typer.Option(metavar="loads|models", help="Only one half of a run.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Deliver and run whatever comes, until stopped.")
    ] = False,
    strict: Strict = False,
    engine: Engine = None,
    home: Home = None,
    profile: Profile = None,
    json_: Json = False,
) -> int:
    """Load what has landed up to a date, then refresh the models."""
    from catalog.errors import UsageError
    from jobs import display
    from jobs.run import run
    from jobs.selection import select
    from lake.deliveries import DeliveryStatus

    settings = _settings(profile, home, engine)
    if watch:
        if dataset or provider or theme or only or date_:
            raise UsageError("--watch runs whatever is due; it goes with no other part of a run")
        return _watch(settings, json_)
    catalog = _catalog(settings)
    selection = select(catalog, datasets=dataset or (), provider=provider, theme=theme, only=only)
    through = date_.date() if date_ else None
    report = run(settings, catalog, through=through, progress=_progress(), selection=selection)
    document = report.to_json()
    answer(
        json_,
        document,
        display.deliveries_table(document["deliveries"]),
        *_reasons(document["deliveries"]),
        display.models_table(report),
        *(f"waiting: {model}, for {', '.join(late)}" for model, late in report.waiting.items()),
        *([str(report.registration)] if report.registration else []),
        f"{report.engine}, {report.seconds:.1f} s",
    )
    refused = any(one.status is DeliveryStatus.REFUSED for one in report.deliveries)
    blocked = any(BLOCKED in (one.reason or "") for one in report.deliveries)
    return FAILED if blocked or (strict and refused) else 0


@app.command()
def release(
    delivery_id: Annotated[str, typer.Argument(help="The id of a held delivery.")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it held until a newer delivery comes.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who decides; default: the user here.")] = None,
    home: Home = None,
    profile: Profile = None,
    json_: Json = False,
) -> int:
    """Let the next run apply a held delivery, or decide to keep it held."""
    import getpass

    from jobs.deliver import decide
    from lake.ledger import Verdict

    verdict = Verdict.KEPT if keep else Verdict.RELEASED
    by = by or getpass.getuser()
    delivery = decide(_settings(profile, home), delivery_id, verdict, by)
    then = "a newer delivery ends it" if keep else "`redcliff run` applies it"
    said = f"{delivery.dataset} {delivery.business_date}: {verdict} by {by}; {then}"
    answer(json_, {**delivery.document(), "decision": verdict.value, "decided_by": by}, said)
    return 0


@app.command()
def status(
    dataset: Dataset = None, home: Home = None, profile: Profile = None, json_: Json = False
) -> int:
    """Say where every dataset stands, what waits for whom, and which servers are up."""
    from jobs import display
    from jobs.stack.record import standing
    from jobs.status import delivery_document, status

    settings = _settings(profile, home)
    report = status(settings, _catalog(settings), dataset)
    services = standing(settings.home)
    waiting = [*report.pending, *report.held, *report.refused]
    parts: list[RenderableType] = [display.status_table(report)]
    if waiting:
        parts.append("Not settled:")
        parts.append(display.deliveries_table(delivery_document(e) for e in waiting))
        parts += [f"{e.delivery.delivery_id}: {e.reason}" for e in waiting if e.reason]
    parts += display.run_lines(report.runs)
    if services:
        parts += ["Servers:", display.services_table(services)]
    document = {**report.to_json(), "services": [one.to_json() for one in services]}
    answer(json_, document, *parts)
    return 0


@app.command()
def lineage(
    name: Annotated[
        str, typer.Argument(help="population.person.citizen_id, or a table, in any layer.")
    ],
    json_: Json = False,
) -> int:
    """Say what a column is made from, up to what was delivered, and all that is made from it."""
    from catalog.tracing import trace

    traces = trace(_site_catalog(), name)
    parts = []
    for one in traces:
        parts += [one.column]
        parts += [f"  {edge.made} ← {edge.source}" for edge in one.upstream]
        parts += [f"  {edge.source} → {edge.made}" for edge in one.downstream]
    answer(json_, {"columns": [asdict(one) for one in traces]}, *parts)
    return 0


@app.command(name="alert")
def alert_(home: Home = None, profile: Profile = None, json_: Json = False) -> int:
    """Tell what asks for somebody: late, held, refused, undecided, failed; each once."""
    from jobs.alerts import alert
    from jobs.notify import notifiers

    settings = _settings(profile, home)
    places = notifiers(settings.alerts, _progress().note)
    report = alert(settings, _catalog(settings), places)
    lines = [f"{one.cause}: {one.text}" for one in report.standing]
    answer(json_, report.to_json(), *(lines or ["nothing asks for anybody"]))
    return 0


@app.command()
def up(
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="NAME,…", help="Only these, and what they need."),
    ] = None,
    fetch_only: Annotated[
        bool, typer.Option("--fetch", help="Only fetch what the components lack.")
    ] = False,
    home: Home = None,
    profile: ClusterProfile = None,
    json_: Json = False,
) -> int:
    """Start the cluster profile's servers on this machine, and wait until they answer."""
    from jobs import display
    from jobs.stack.components import load_stack
    from jobs.up import fetch, up

    settings = _settings(profile or os.environ.get("REDCLIFF_PROFILE") or CLUSTER, home)
    wanted = with_.split(",") if with_ else None
    if fetch_only:
        stack = load_stack(settings, os.environ, wanted)
        fetch(stack, _progress())
        named = ", ".join(stack.chosen)
        answer(json_, {"fetched": list(stack.chosen)}, f"{named}: all is there")
        return 0
    report = up(settings, os.environ, wanted, _progress())
    answer(
        json_,
        report.to_json(),
        display.services_table(report.services),
        *(f"{name}: {where}" for name, where in report.endpoints.items()),
        f"all answer after {report.seconds:.1f} s; they are the owner's: nothing is masked",
    )
    return 0


@app.command()
def pack(
    out: Annotated[Path | None, typer.Option(help="The archive; else redcliff-env.tar.gz.")] = None,
    json_: Json = False,
) -> int:
    """Pack what Spark's executors need beside a Python, for the profile's `spark.archive`."""
    from lake.executors import ARCHIVE, pack

    with _progress().step("packing"):
        packed = pack(out or Path(ARCHIVE))
    label = packed.label
    answer(
        json_,
        {
            "path": str(packed.path),
            "files": packed.files,
            "bytes": packed.bytes,
            "unpacked": packed.unpacked,
            **asdict(label),
        },
        f"{packed.path}: {packed.bytes / 1e6:.1f} MB, {packed.files} files, unpacked "
        f"{packed.unpacked / 1e6:.1f} MB, for {label.python} on {label.platform}",
    )
    return 0


@app.command()
def down(home: Home = None, json_: Json = False) -> int:
    """Stop the servers that `up` started; data and logs stay."""
    from jobs.up import down
    from lake.settings import home_folder

    was_up = down(home_folder(home, os.environ))
    answer(json_, {"was_up": was_up}, "the stack is down" if was_up else "nothing was up")
    return 0


@app.command()
def logs(
    component: Annotated[str | None, typer.Argument(help="One component; default: all.")] = None,
    lines: Annotated[int, typer.Option(help="How many lines of each.", min=1)] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    home: Home = None,
) -> int:
    """Show what the servers logged."""
    from jobs.up import logs, read_logs
    from lake.settings import home_folder

    paths = logs(home_folder(home, os.environ), component)
    for line in read_logs(paths, lines, follow=follow):
        print(line, flush=follow)
    return 0


@app.command()
def sql(
    statement: Annotated[
        str, typer.Argument(help="One SELECT, SHOW or DESCRIBE in Trino's dialect.")
    ],
    format_: Annotated[
        Format, typer.Option("--format", help="table (for people), csv, json or arrow (a stream).")
    ] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option(help="A file for csv, json or arrow, instead of stdout.")
    ] = None,
    limit: Annotated[
        int, typer.Option(help="Rows shown as a table; other formats have all.", min=1)
    ] = 100,
    seconds: Annotated[int, typer.Option(help="How long the query may take.", min=1)] = 300,
    on: Annotated[
        Server | None, typer.Option(help="Ask the profile's Trino, not an engine.")
    ] = None,
    engine: Engine = None,
    home: Home = None,
    profile: Profile = None,
    json_: Json = False,
) -> int:
    """Ask the lake: tables are named <layer>.<theme>__<dataset>."""
    from catalog.errors import UsageError
    from jobs import display
    from jobs.export import WRITERS, written_whole
    from jobs.query import query, query_on_trino

    wanted = Format.JSON if json_ else format_
    if wanted is Format.ARROW and out is None and sys.stdout.isatty():
        raise UsageError("an Arrow stream is not for a terminal; write > FILE, or --out FILE")
    if wanted is Format.TABLE and out is not None:
        raise UsageError("--out takes --format csv, json or arrow")
    if on is not None and engine is not None:
        raise UsageError("--on and --engine both say who answers; give one of them")
    settings = _settings(profile, home, engine)
    _progress().note("the owner's tool: every column is shown unmasked")
    ask = query if on is None else query_on_trino
    with ask(settings, statement, seconds) as given:
        if wanted is Format.TABLE:
            shown, count = display.rows_table(given, limit)
            told = f"{count:,} row{'' if count == 1 else 's'}" + (
                f", {limit} shown" if count > limit else ""
            )
            answer(False, None, shown, told)
        elif out is not None:
            with written_whole(out) as file:
                WRITERS[wanted](given, file)
        else:
            WRITERS[wanted](given, sys.stdout.buffer)
            sys.stdout.buffer.flush()
    return 0


def _watch(settings: Settings, as_json: bool) -> int:
    from jobs.watch import until_signalled, watch

    with until_signalled() as stopped:
        report = watch(settings, _progress(), stopped)
    said = f"stopped after {report.runs} runs, {report.deliveries} deliveries loaded"
    answer(as_json, report.to_json(), said)
    return 0


def _settings(profile: str | None, home: Path | None, engine: str | None = None) -> Settings:
    from jobs.profile import settle

    settings = settle(profile, home, os.environ)
    return replace(settings, engine=engine) if engine else settings


def _catalog(settings: Settings) -> Catalog:
    from jobs.compiled import load_catalog

    return load_catalog(settings.site)


def _site_catalog() -> Catalog:
    from jobs.compiled import load_catalog
    from lake.settings import find_site

    return load_catalog(find_site(os.environ))


def _progress() -> Progress:
    from jobs.progress import RichProgress

    return RichProgress()


def _reasons(deliveries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Why deliveries were held or refused, from their JSON forms."""
    return [
        f"{one['status']}: {one['dataset']} {one['business_date']}: {one['reason']}"
        for one in deliveries
        if one["reason"]
    ]


def _same_place(home: Path | None, profile: str | None) -> str:
    """The options with which another command works on the same data."""
    named = {"--home": home, "--profile": profile}
    return "".join(f" {option} {shlex.quote(str(at))}" for option, at in named.items() if at)
