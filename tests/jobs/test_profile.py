from __future__ import annotations

from pathlib import Path

import yaml

from jobs.profile import settle

REPOSITORY = Path(__file__).parents[2]
ENVIRON = {"REDCLIFF_SITE": str(REPOSITORY)}


def kept(home: Path, name: str) -> str:
    return (home / "stack" / "secrets" / name).read_text().strip()


def test_what_the_profile_leaves_out_follows_from_its_stack(tmp_path: Path) -> None:
    settings = settle("cluster", tmp_path, ENVIRON)

    assert settings.s3 is not None
    assert (settings.s3.endpoint, settings.s3.access_key) == ("http://127.0.0.1:19000", "redcliff")
    assert settings.s3.secret_key == kept(tmp_path, "s3")
    assert settings.spark.master == "spark://127.0.0.1:17077"
    assert settings.spark.secret == kept(tmp_path, "spark")
    password = kept(tmp_path, "postgres")
    address = f"redcliff:{password}@127.0.0.1:15432/redcliff"
    assert settings.state_url == f"postgresql+psycopg://{address}"
    assert settings.trino is not None
    assert str(settings.trino) == "https://127.0.0.1:18443"
    assert settings.trino.password == kept(tmp_path, "trino")
    assert settings.trino.password not in repr(settings)
    assert password not in repr(settings)
    assert settings.lake.startswith("s3://lake/")


def test_what_the_profile_names_wins_over_its_stack(tmp_path: Path) -> None:
    document = yaml.safe_load((REPOSITORY / "conf" / "cluster.yaml").read_text("utf-8"))
    document |= {"spark": {"master": "yarn"}, "state_url": "postgresql+psycopg://db.example/city"}
    profile = tmp_path / "ours.yaml"
    profile.write_text(yaml.safe_dump(document), encoding="utf-8")

    settings = settle(str(profile), tmp_path / "home", ENVIRON)

    assert (settings.spark.master, settings.spark.secret) == ("yarn", None)
    assert settings.state_url == "postgresql+psycopg://db.example/city"
    assert settings.s3 is not None


def test_a_profile_without_a_stack_is_as_it_stands(tmp_path: Path) -> None:
    settings = settle(None, tmp_path, ENVIRON)

    assert settings.s3 is None
    assert settings.spark.is_here
    assert not (tmp_path / "stack").exists()
