"""
Trino over the Delta tables of the S3 server: one node, one login, TLS.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from jobs.stack.certificates import own_certificate
from jobs.stack.component import Component, Service, Stack
from jobs.stack.s3 import REGION, S3
from jobs.stack.s3 import USER as S3_USER
from lake.addresses import TrinoAddress
from lake.servers import TRINO_JAVA, fetch_trino, trino_folder
from lake.toolchain import find_java
from lake.trino import connect

if TYPE_CHECKING:
    from trino.dbapi import Connection

USER = "redcliff"
CATALOGS = ("lake", "lake_owner")
"""What readers see, and what the owner does (ADR 0011)."""

SERVER = "io.trino.server.TrinoServer"
SECONDS = 10.0
ROUNDS = 100_000


class Trino(Component):
    """The SQL server; `memory` is its heap."""

    name: ClassVar[str] = "trino"
    needs: ClassVar[tuple[str, ...]] = ("s3",)
    packages: ClassVar[tuple[str, ...]] = ("trino", "cryptography")

    port: int = 18443
    internal_port: int = 18444
    memory: str = Field(default="2GB", pattern=r"^[1-9][0-9]*(MB|GB)$")

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """The server's archive."""
        return None if trino_folder(environ).exists() else "Trino (821 MB, once)"

    def fetch(self, environ: Mapping[str, str]) -> None:
        """Fetch the archive; `EnvironmentProblem` also when there is no Java for it."""
        find_java(environ, oldest=TRINO_JAVA)
        fetch_trino(environ)

    def services(self, stack: Stack) -> list[Service]:
        """One process."""
        server = trino_folder(stack.environ)
        java = find_java(stack.environ, oldest=TRINO_JAVA)
        settings, catalogs = stack.place("trino", "etc"), stack.place("trino", "etc", "catalog")
        store: S3 = stack.component("s3")
        heap = _megabytes(self.memory)
        passwords = settings / "passwords"
        passwords.touch(mode=0o600)
        passwords.write_text(f"{USER}:{hashed(stack.secret('trino'))}\n", encoding="utf-8")
        for catalog in CATALOGS:
            stack.configure(
                f"trino/catalog/{catalog}.properties",
                catalogs / f"{catalog}.properties",
                bucket=store.bucket,
                endpoint=store.address(stack),
                region=REGION,
                user=S3_USER,
            )
        rules = stack.configure("trino/rules.json", settings / "rules.json", user=USER)
        control = stack.configure(
            "trino/access-control.properties", settings / "access-control.properties", rules=rules
        )
        authenticator = stack.configure(
            "trino/password-authenticator.properties",
            settings / "password-authenticator.properties",
            passwords=passwords,
        )
        configuration = stack.configure(
            "trino/config.properties",
            settings / "config.properties",
            node=hashlib.sha256(str(stack.folder).encode()).hexdigest()[:32],
            address=stack.address,
            port=self.port,
            internal_port=self.internal_port,
            certificate=own_certificate(stack.place("secrets"), stack.address)[1],
            catalogs=catalogs,
            plugins=server / "plugin",
            query_memory=f"{heap // 2}MB",
            headroom=f"{heap // 4}MB",
        )
        arguments = stack.configure(
            "trino/jvm.config",
            settings / "jvm.config",
            heap=f"{heap}m",
            temporary=stack.place("tmp"),
        )
        return [
            Service(
                name=self.name,
                argv=(
                    *(str(java.path), f"@{arguments}"),
                    *("-cp", f"{server / 'lib'}/*"),
                    f"-Dconfig={configuration}",
                    f"-Dpassword-authenticator.config-files={authenticator}",
                    f"-Daccess-control.config-files={control}",
                    SERVER,
                ),
                probe=lambda: self.probe(stack),
                after=self.needs,
                start_seconds=240.0,
                ports=self.ports(),
                environ={
                    "TRINO_SHARED_SECRET": stack.secret("trino_internal"),
                    "TRINO_S3_SECRET": stack.secret("s3"),
                },
            )
        ]

    def probe(self, stack: Stack) -> None:
        """A query that a worker computes: the first seconds after the start refuse it."""
        with self.connect(stack) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT count(*) FROM UNNEST(sequence(1, 3)) AS t(n)")
            if cursor.fetchall() != [[3]]:
                raise ConnectionError("Trino answers, and wrongly")

    def connect(self, stack: Stack) -> Connection:
        """A connection of the one login; the caller closes it."""
        return connect(self.address(stack), seconds=SECONDS)

    def address(self, stack: Stack) -> TrinoAddress:
        """Where it is, password included."""
        certificate = self.certificate(stack)
        return TrinoAddress(stack.address, self.port, USER, stack.secret("trino"), certificate)

    def serves(self, stack: Stack) -> dict[str, Any]:
        """The section `trino`."""
        certificate = stack.place("secrets") / f"{stack.address}.crt"
        place = {"host": stack.address, "port": self.port, "certificate": certificate}
        return {"trino": {**place, "user": USER, "secret_file": stack.secret_file("trino")}}

    def endpoint(self, stack: Stack) -> str:
        """The URL and the login."""
        return (
            f"https://{stack.address}:{self.port}, user {USER}, "
            f"password in {stack.secret_file('trino')}, certificate {self.certificate(stack)}"
        )

    def certificate(self, stack: Stack) -> Path:
        """What clients have to trust."""
        return own_certificate(stack.place("secrets"), stack.address)[0]


def hashed(password: str) -> str:
    """
    A password as Trino's password file has it: rounds, salt and PBKDF2, in hexadecimal.

    Trino 476 takes SHA-1 only; of a random password of 256 bits it hides enough.
    """
    salt = secrets.token_bytes(16)
    hashed = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, ROUNDS, 64)
    return f"{ROUNDS}:{salt.hex()}:{hashed.hex()}"


def _megabytes(memory: str) -> int:
    found = re.fullmatch(r"(\d+)(MB|GB)", memory)
    assert found is not None
    return int(found[1]) * (1024 if found[2] == "GB" else 1)
