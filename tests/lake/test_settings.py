from __future__ import annotations

import stat
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from catalog.errors import EnvironmentProblem, UsageError
from lake.settings import Settings, find_site, load_settings

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    for folder in ("schemas", "conf"):
        (site / folder).mkdir(parents=True)
    return site


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def load(site: Path, home: Path, profile: str | None = None, **environ: str) -> Settings:
    return load_settings(profile, home, {"REDCLIFF_SITE": str(site), **environ})


def test_without_a_profile_everything_lies_in_the_home(site: Path, home: Path) -> None:
    settings = load(site, home)

    assert (settings.site, settings.home, settings.profile) == (site, home, "local")
    assert settings.engine == "embedded"
    assert settings.memory is None
    assert settings.lake == str(home / "lake")
    assert settings.landing == str(home / "landing")
    assert settings.state_url == f"sqlite:///{home}/state.db"
    assert settings.settle_seconds == 300


def test_the_profile_of_the_repository_says_the_defaults(home: Path, site: Path) -> None:
    said = load(REPOSITORY, home)

    assert replace(said, stack={}) == replace(load(site, home), site=REPOSITORY)


def test_a_profile_wins_over_defaults_and_the_environment_over_it(site: Path, home: Path) -> None:
    (site / "conf" / "local.yaml").write_text(
        "lake: s3://city/lake\nlanding: /data/landing\nsettle_seconds: 5\nengine: embedded\n"
    )

    settings = load(site, home, REDCLIFF_SETTLE_SECONDS="7", REDCLIFF_ENGINE="spark")

    assert settings.lake == "s3://city/lake"
    assert settings.landing == "/data/landing"
    assert settings.settle_seconds == 7
    assert settings.engine == "spark"


def test_relative_paths_lie_in_the_home_or_where_one_stands(
    site: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "conf" / "local.yaml").write_text("lake: tables\nlanding: bytes\n")
    monkeypatch.chdir(tmp_path)

    settings = load(site, home, REDCLIFF_LANDING="here")

    assert settings.lake == str(home / "tables")
    assert settings.landing == str(tmp_path / "here")


@pytest.mark.parametrize("how", ["name", "file", "environment"])
def test_a_profile_is_named_by_name_or_file(site: Path, home: Path, how: str) -> None:
    path = site / "conf" / "cluster.yaml"
    path.write_text("state_url: postgresql+psycopg://state/redcliff\n")

    match how:
        case "name":
            settings = load(site, home, "cluster")
        case "file":
            settings = load(site, home, str(path))
        case _:
            settings = load(site, home, REDCLIFF_PROFILE="cluster")

    assert settings.state_url == "postgresql+psycopg://state/redcliff"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "engin: spark",
            "local.yaml: unknown key engin; known: alerts, engine, inbox, lake",
            id="unknown-key",
        ),
        pytest.param("[1, 2]", "local.yaml: a profile is a mapping of keys", id="no-mapping"),
        pytest.param("a: [", "local.yaml: the profile cannot be read", id="no-yaml"),
        pytest.param("settle_seconds: soon", "settle_seconds: 'soon' is not a", id="no-number"),
        pytest.param("memory: 700", "memory: 700 is no amount", id="memory-without-unit"),
        pytest.param("settle_seconds: -1", "settle_seconds: '-1' is not a", id="negative"),
        pytest.param("site_secret: short", "at least 16 characters", id="weak-secret"),
    ],
)
def test_a_wrong_profile_is_refused(site: Path, home: Path, text: str, told: str) -> None:
    (site / "conf" / "local.yaml").write_text(text)

    with pytest.raises(UsageError, match=told):
        load(site, home)


def test_an_unknown_profile_names_those_there_are(site: Path, home: Path) -> None:
    (site / "conf" / "local.yaml").write_text("")

    with pytest.raises(UsageError, match=r"province\.yaml: no such profile; .*/conf has local"):
        load(site, home, "province")


def test_the_home_is_private_and_its_secret_is_made_once(site: Path, home: Path) -> None:
    first = load(site, home)
    again = load(site, home)

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]
    assert len(first.site_secret) == 64
    assert again.site_secret == first.site_secret
    assert load(site, home / "other").site_secret != first.site_secret


def test_a_given_secret_is_used_and_none_is_made(site: Path, home: Path) -> None:
    settings = load(site, home, REDCLIFF_SITE_SECRET="0123456789abcdef")

    assert settings.site_secret == b"0123456789abcdef"
    assert list(home.iterdir()) == []


def test_the_kept_secret_and_the_given_one_are_the_same_text(site: Path, home: Path) -> None:
    made = load(site, home).site_secret
    copied = (home / "secret").read_text()

    assert load(site, home / "other", REDCLIFF_SITE_SECRET=copied + "\n").site_secret == made


def test_a_torn_secret_is_not_replaced(site: Path, home: Path) -> None:
    home.mkdir()
    (home / "secret").write_text("abc")

    with pytest.raises(UsageError, match=r"secret: the site's secret must have .* backup"):
        load(site, home)

    assert (home / "secret").read_text() == "abc"


def test_settings_are_frozen_and_hide_what_is_secret(site: Path, home: Path) -> None:
    settings = load(
        site,
        home,
        REDCLIFF_SITE_SECRET="a-secret-of-the-site",
        REDCLIFF_STATE_URL="postgresql+psycopg://u:pass@h/d",
    )

    with pytest.raises(FrozenInstanceError):
        settings.engine = "other"  # type: ignore[misc]
    assert "a-secret-of-the-site" not in repr(settings)
    assert "pass@" not in repr(settings)


def test_a_home_that_cannot_be_made_is_told(site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(EnvironmentProblem, match="file/home: the home cannot be made"):
        load(site, tmp_path / "file" / "home")


def test_the_home_is_var_where_one_stands_unless_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"REDCLIFF_SITE": str(site)}

    assert load_settings(None, None, environ).home == tmp_path / "var"
    environ["REDCLIFF_HOME"] = "elsewhere"
    assert load_settings(None, None, environ).home == tmp_path / "elsewhere"
    assert load_settings(None, tmp_path / "said", environ).home == tmp_path / "said"


def test_the_site_is_found_upwards_and_finding_it_makes_nothing(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = site / "schemas" / "population"
    below.mkdir()
    monkeypatch.chdir(below)

    assert find_site({}) == site
    assert not (below / "var").exists()


def test_away_from_every_site_the_checkout_of_the_code_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert find_site({}) == REPOSITORY


def test_a_site_without_contracts_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"REDCLIFF_SITE: .* holds no folder schemas/"):
        find_site({"REDCLIFF_SITE": str(tmp_path)})


def test_trino_is_where_its_section_says(site: Path, home: Path) -> None:
    (site / "conf" / "local.yaml").write_text(
        "trino: {host: trino.example, user: redcliff, secret_file: t, certificate: t.crt}\n"
    )
    home.mkdir()
    (home / "t").write_text("secret of trino\n")

    trino = load(site, home).trino

    assert trino is not None
    assert (str(trino), trino.user) == ("https://trino.example:443", "redcliff")
    assert (trino.password, trino.certificate) == ("secret of trino", home / "t.crt")
    assert (trino.catalog, trino.owner_catalog) == ("lake", "lake_owner")
    assert "secret" not in repr(trino)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        pytest.param("{host: a}", "trino.user: Field required; known: host, port", id="no-user"),
        pytest.param("{host: a, user: b, port: 0}", r"trino\.port: .*greater", id="no-port"),
        pytest.param("{host: a, user: b, catalog: 'x; y'}", r"trino\.catalog: .*", id="no-name"),
        pytest.param("{host: a, user: b, word: c}", r"trino\.word: .*not permitted", id="unknown"),
    ],
)
def test_a_section_trino_that_is_wrong_names_the_key(
    site: Path, home: Path, section: str, told: str
) -> None:
    (site / "conf" / "local.yaml").write_text(f"trino: {section}\n")

    with pytest.raises(UsageError, match=told):
        load(site, home)
