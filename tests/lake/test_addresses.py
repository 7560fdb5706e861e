from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from catalog.errors import EnvironmentProblem, UsageError
from lake.addresses import THIS_MACHINE, SparkMaster, s3_address, spark_master
from lake.s3 import S3

LOGIN = {"endpoint": "https://s3.example/", "access_key": "redcliff", "secret_file": "s3"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the secrets of both servers."""
    (tmp_path / "s3").write_text("a secret of S3\n")
    (tmp_path / "spark").write_text("a secret of Spark\n")
    return tmp_path


def test_without_a_section_there_is_no_s3_and_spark_is_here(home: Path) -> None:
    assert s3_address(None, home) is None
    assert spark_master(None, home) == THIS_MACHINE == SparkMaster("local[*]")


def test_a_login_is_read_with_its_secret_and_shows_none(home: Path) -> None:
    s3 = s3_address(LOGIN, home)
    spark = spark_master({"master": "yarn", "secret_file": str(home / "spark")}, home)

    assert s3 == S3("https://s3.example", "redcliff", "a secret of S3", "us-east-1")
    assert spark == SparkMaster("yarn", "a secret of Spark")
    assert "secret" not in repr(s3).replace("secret_key", "")
    assert "a secret" not in repr(spark)


def test_settings_of_spark_are_written_as_spark_writes_them(home: Path) -> None:
    conf = {"spark.executor.cores": 2, "spark.ui.enabled": True, "spark.executor.memory": "4g"}

    assert spark_master({"conf": conf}, home).conf == {
        "spark.executor.cores": "2",
        "spark.ui.enabled": "true",
        "spark.executor.memory": "4g",
    }


@pytest.mark.parametrize("url", ["s3://city/env.tar.gz", "hdfs://name/env.tar.gz"])
def test_the_archive_of_executors_lies_in_the_home_or_behind_a_url(home: Path, url: str) -> None:
    assert spark_master({"archive": "env.tar.gz"}, home).archive == str(home / "env.tar.gz")
    assert spark_master({"archive": url}, home).archive == url


@pytest.mark.parametrize(
    ("master", "here"),
    [
        ("local[*]", True),
        ("local[2]", True),
        ("spark://127.0.0.1:7077", True),
        ("spark://spark.example:7077", False),
        ("k8s://https://127.0.0.1:6443", False),
        ("yarn", False),
    ],
)
def test_who_has_to_reach_the_driver(home: Path, master: str, here: bool) -> None:
    assert spark_master({"master": master}, home).is_here is here


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"endpoint": "s3.example"}, r"s3\.endpoint: .*known: endpoint, access_key, secret_file"),
        ({"endpoint": "https://me:word@s3.example"}, r"s3\.endpoint: "),
        ({"secret_key": "shown"}, r"s3\.secret_key: .*known: "),
        ({"access_key": None}, r"s3\.access_key: "),
    ],
)
def test_what_does_not_fit_is_told_by_its_key(
    home: Path, section: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        s3_address({**LOGIN, **section}, home)


def test_a_master_that_spark_does_not_know_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match=r"spark\.master: "):
        spark_master({"master": "mesos://somewhere"}, home)


def test_a_secret_that_is_not_there_is_told(home: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"s3\.secret_file: .*/none cannot be read \(No"):
        s3_address({**LOGIN, "secret_file": "none"}, home)
