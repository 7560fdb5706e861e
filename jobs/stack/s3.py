"""
The S3 server: versitygw over a folder of the home (ADR 0008).

Nothing is asked of it but plain S3, so any other endpoint can take its place.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jobs.stack.component import Component, Service, Stack
from lake import s3
from lake.servers import fetch_s3_server, s3_server

if TYPE_CHECKING:
    from minio import Minio

USER = "redcliff"
REGION = "us-east-1"
PROBED = ".redcliff/probe"
SECONDS = 5.0


class S3(Component):
    """An S3 endpoint with one bucket."""

    name: ClassVar[str] = "s3"
    packages: ClassVar[tuple[str, ...]] = ("minio",)

    port: int = 19000
    bucket: str = "lake"

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """The program, which is built."""
        if s3_server(environ).exists():
            return None
        return "the S3 server (built once from 150 MB of Go modules, some minutes)"

    def fetch(self, environ: Mapping[str, str]) -> None:
        """Build it."""
        fetch_s3_server(environ)

    def services(self, stack: Stack) -> list[Service]:
        """One process; the bucket is made by the first probe."""
        program = str(s3_server(stack.environ))
        listen = f"{stack.address}:{self.port}"
        options = ("--port", listen, "--region", REGION, "--quiet", "--keep-alive")
        folders = ("posix", "--dir-perms", "0700", "--file-perms", "0600")
        return [
            Service(
                name=self.name,
                argv=(program, *options, *folders, str(stack.place("s3"))),
                probe=lambda: self.probe(stack),
                ports=self.ports(),
                environ={
                    "ROOT_ACCESS_KEY_ID": USER,
                    "ROOT_SECRET_ACCESS_KEY": stack.secret("s3"),
                },
            )
        ]

    def probe(self, stack: Stack) -> None:
        """Write an object and read it back."""
        from minio.error import S3Error

        client = self.client(stack)
        if not client.bucket_exists(self.bucket):
            try:
                client.make_bucket(self.bucket)
            except S3Error as error:
                if error.code != "BucketAlreadyOwnedByYou":
                    raise
        said = b"redcliff"
        client.put_object(self.bucket, PROBED, io.BytesIO(said), len(said))
        answer = client.get_object(self.bucket, PROBED)
        try:
            if answer.read() != said:
                raise ConnectionError(f"{PROBED}: another answer than what was written")
        finally:
            answer.close()
            answer.release_conn()
        client.remove_object(self.bucket, PROBED)

    def client(self, stack: Stack) -> Minio:
        """A client that gives up soon."""
        return self.login(stack).client(seconds=SECONDS, tries=0)

    def login(self, stack: Stack) -> s3.S3:
        """The server as a run finds it."""
        return s3.S3(f"http://{self.address(stack)}", USER, stack.secret("s3"), REGION)

    def address(self, stack: Stack) -> str:
        """Host and port as clients write them."""
        return f"{stack.address}:{self.port}"

    def serves(self, stack: Stack) -> dict[str, Any]:
        """The section `s3`."""
        login = self.login(stack)
        return {
            "s3": {
                "endpoint": login.endpoint,
                "access_key": login.access_key,
                "secret_file": stack.secret_file("s3"),
                "region": login.region,
            }
        }

    def endpoint(self, stack: Stack) -> str:
        """The URL, the bucket and the login."""
        secret = stack.secret_file("s3")
        return f"http://{self.address(stack)}, bucket {self.bucket}, key {USER}, secret in {secret}"
