"""
S3: any endpoint that speaks it, as the profile's section `s3` names it.

Each library that reads or writes there has words of its own for the same five things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from catalog.errors import EnvironmentProblem, RedcliffError, TryAgain

if TYPE_CHECKING:
    import urllib3
    from minio import Minio

SCHEME = "s3"
SECONDS = 60.0
TRIES = 5
"""How often it is asked again, after 0, 1, 2, 4 and 8 seconds: it may just be starting."""

BUSY = ("InternalError", "ServiceUnavailable", "SlowDown")
"""What an endpoint says that may do it later."""

LOST = re.compile(
    r"Generic S3 error|error sending request|Could not (establish connection|connect)"
    r"|Connection(Error| error| refused| reset)|AWSClientIOException|SdkClientException"
    r"|NoHttpResponseException|Unable to execute HTTP request",
)
"""What delta-rs, DuckDB and S3A say of one that is gone."""

LEFT = timedelta(days=1)
"""An upload in parts that was begun so long ago is a leftover of a killed process."""


@dataclass(frozen=True)
class S3:
    """
    One endpoint and one login; buckets are addressed by path.

    `endpoint` is `http://HOST[:PORT]` or `https://…`. It travels to Spark's executors.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.endpoint.startswith("https://")

    @property
    def address(self) -> str:
        """Host and port."""
        return urlsplit(self.endpoint).netloc

    def client(self, *, seconds: float = SECONDS, tries: int = TRIES) -> Minio:
        """The client for what is neither a table's nor an engine's."""
        try:
            from minio import Minio
        except ImportError as error:
            raise EnvironmentProblem(
                f"the package {error.name} is missing, which S3 needs; run: make cluster"
            ) from error
        return Minio(
            self.address,
            self.access_key,
            self.secret_key,
            secure=self.is_secure,
            region=self.region,
            http_client=connections(seconds=seconds, tries=tries),
        )

    def delta_options(self) -> dict[str, str]:
        """
        For delta-rs, which commits by a conditional PUT: who comes second is told so.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": str(not self.is_secure).lower(),
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
            "conditional_put": "etag",
        }

    def hadoop_options(self) -> dict[str, str]:
        """For S3A, to which the scheme of our URLs is mapped."""
        return {
            "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "fs.s3a.endpoint": self.endpoint,
            "fs.s3a.endpoint.region": self.region,
            "fs.s3a.path.style.access": "true",
        }

    def hadoop_login(self) -> dict[str, str]:
        """What S3A must be told besides, and nobody else."""
        return {"fs.s3a.access.key": self.access_key, "fs.s3a.secret.key": self.secret_key}


def connections(*, seconds: float = SECONDS, tries: int = TRIES) -> urllib3.PoolManager:
    """HTTP connections that try again, unless `tries` is 0, when the server stumbles."""
    import urllib3

    retries = urllib3.Retry(total=tries, backoff_factor=0.5, status_forcelist=(500, 502, 503))
    return urllib3.PoolManager(timeout=seconds, retries=retries if tries else False)


def is_s3(place: str) -> bool:
    """Whether the place is an S3 URL, not a path of this machine."""
    return place.startswith(f"{SCHEME}://")


def split_url(url: str) -> tuple[str, str]:
    """
    Bucket and key of `s3://BUCKET/KEY`.

    >>> split_url("s3://city/lake/curated")
    ('city', 'lake/curated')
    """
    parts = urlsplit(url)
    return parts.netloc, parts.path.strip("/")


def split_folder(url: str) -> tuple[str, str]:
    """
    Bucket and prefix of what lies below a URL; the prefix ends with a slash, or is empty.

    >>> split_folder("s3://city/lake"), split_folder("s3://city")
    (('city', 'lake/'), ('city', ''))
    """
    bucket, key = split_url(url)
    return bucket, f"{key}/" if key else ""


@contextmanager
def answering(place: str) -> Iterator[None]:
    """`TryAgain` when the endpoint does not answer, `EnvironmentProblem` when it refuses."""
    import urllib3
    from minio.error import MinioException, S3Error

    try:
        yield
    except S3Error as error:
        if error.code in BUSY:
            raise TryAgain(f"{place}: S3 says {error.code} ({error.message}); try again") from error
        raise EnvironmentProblem(
            f"{place}: S3 says {error.code} ({error.message}); check the login and the bucket"
        ) from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        why = str(getattr(error, "reason", None) or error).splitlines()[0]
        raise TryAgain(
            f"{place}: S3 does not answer ({why}); check the endpoint, or run `redcliff up`, "
            "then try again"
        ) from error


@contextmanager
def while_it_answers(s3: S3 | None) -> Iterator[None]:
    """
    `TryAgain` in place of an engine's own error that comes of an S3 that went away.

    Each library tells it in words of its own; what was committed stands.
    """
    try:
        yield
    except RedcliffError:
        raise
    except Exception as error:
        if s3 is None or not (_tells_of_a_lost_server(error) or _is_silent(s3)):
            raise
        raise TryAgain(
            f"S3 at {s3.endpoint} did not answer in the middle of it ({type(error).__name__}); "
            "what was done stands, and the same command goes on from there: try again"
        ) from error


def _tells_of_a_lost_server(error: BaseException | None) -> bool:
    while error is not None:
        if LOST.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_silent(s3: S3) -> bool:
    import urllib3

    try:
        s3.client(seconds=5, tries=0).list_buckets()
    except urllib3.exceptions.HTTPError:
        return True
    except Exception:  # it refuses, and so it answers
        return False
    return False


def sweep_uploads(s3: S3, url: str, *, left: timedelta = LEFT) -> int:
    """
    Give up what killed processes left half-uploaded below `url`; returns how many uploads.

    A bucket's lifecycle rule does the same where the endpoint has such rules; many have none.
    """
    bucket, prefix = split_folder(url)
    client, begun_before = s3.client(), datetime.now(UTC) - left
    marker: tuple[str | None, str | None] = (None, None)
    count = 0
    with answering(url):
        while True:
            # The client has no public call for this; its version is pinned.
            page = client._list_multipart_uploads(
                bucket, prefix=prefix, key_marker=marker[0], upload_id_marker=marker[1]
            )
            for one in page.uploads:
                begun = one.initiated_time
                if begun is not None and begun < begun_before and one.upload_id:
                    client._abort_multipart_upload(bucket, one.object_name, one.upload_id)
                    count += 1
            if not page.is_truncated:
                return count
            marker = page.next_key_marker, page.next_upload_id_marker
