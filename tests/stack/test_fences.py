"""Whether an endpoint keeps writers apart is found out, whichever way they write."""

from __future__ import annotations

import pytest

from jobs.stack.component import Stack
from lake.engines.log_store import by_spark
from lake.fences import FENCES, PROBES, examine_fences
from lake.store import Store
from tests.stack.conftest import Cluster
from tests.stack.endpoints import serving

pytestmark = pytest.mark.stack
ALL = {**FENCES, "S3A": by_spark}


@pytest.mark.parametrize("conditional", [True, False])
def test_an_endpoint_that_ignores_the_condition_is_found_out(conditional: bool) -> None:
    with serving(conditional=conditional) as s3:
        found = examine_fences("s3://city/lake", Store(s3), ALL)

    assert found == dict.fromkeys(ALL, conditional)


def test_the_doctor_asks_the_endpoint_and_leaves_nothing_there(
    cluster: Cluster, stack: Stack
) -> None:
    checks = cluster("doctor", "--profile", str(cluster.profile))["checks"]

    (check,) = (one for one in checks if one["name"] == "s3")
    assert check["ok"], check
    assert check["found"].endswith("of many writers of one name one wins (by PUT, delta-rs, S3A)")
    store = stack.component("s3")
    names = [
        one.object_name for one in store.client(stack).list_objects(store.bucket, recursive=True)
    ]
    assert not [name for name in names if f"{PROBES}/" in name]


def test_the_doctor_tells_what_to_do_about_an_endpoint_that_does_not_care(
    cluster: Cluster,
) -> None:
    with serving(conditional=False) as s3:
        home = cluster.home.with_name("careless")
        home.mkdir()
        (home / "secret").write_text(s3.secret_key)
        profile = home / "profile.yaml"
        profile.write_text(
            f"lake: s3://city/lake\nlanding: s3://city/landing\n"
            f"s3: {{endpoint: '{s3.endpoint}', access_key: anybody, secret_file: secret}}\n"
        )
        words = ("doctor", "--engine", "embedded", "--profile", str(profile))
        checks = Cluster(home, profile)(*words, code=1)["checks"]

    (check,) = (one for one in checks if not one["ok"])
    assert (check["name"], check["mend"]) == (
        "s3",
        "redcliff up, or let the profile name an endpoint that honours If-None-Match",
    )
    assert "overwrites despite If-None-Match (by PUT, delta-rs)" in check["found"]
