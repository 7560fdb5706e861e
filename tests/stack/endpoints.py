"""An S3 endpoint of a few lines, in memory, that may ignore If-None-Match as some do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from lake.s3 import S3

SINCE = ("2025-03-03T00:00:00.000Z", "Mon, 03 Mar 2025 00:00:00 GMT")


@contextmanager
def serving(*, conditional: bool) -> Iterator[S3]:
    """The endpoint on loopback; with `conditional` it honours If-None-Match. Any login will do."""
    objects: dict[str, bytes] = {}
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        def answer(
            self,
            status: int,
            content: bytes = b"",
            size: int | None = None,
            span: str | None = None,
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if size is None else size))
            self.send_header("ETag", f'"{md5(content).hexdigest()}"')
            if span:
                self.send_header("Content-Range", span)
            self.send_header("Last-Modified", SINCE[1])
            self.end_headers()
            if size is None:
                self.wfile.write(content)

        @property
        def key(self) -> str:
            return unquote(urlsplit(self.path).path)

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                taken = self.key in objects and "If-None-Match" in self.headers and conditional
                if not taken:
                    objects[self.key] = content
            self.answer(412 if taken else 200)

        def do_HEAD(self) -> None:
            found = objects.get(self.key)
            self.answer(404 if found is None else 200, size=len(found or b""))

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if "list-type" in query:
                self.answer(
                    200,
                    self.listed(*(query.get(key, [""])[0] for key in ("prefix", "start-after"))),
                )
            elif (found := objects.get(self.key)) is None:
                self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            else:
                status, content, span = self.part(found)
                self.answer(status, content, span=span)

        def part(self, content: bytes) -> tuple[int, bytes, str | None]:
            unit, _, span = self.headers.get("Range", "").partition("=")
            if unit != "bytes":
                return 200, content, None
            first, _, last = span.partition("-")
            begin = int(first) if first else max(0, len(content) - int(last))
            end = min(len(content), int(last) + 1) if first and last else len(content)
            return 206, content[begin:end], f"bytes {begin}-{end - 1}/{len(content)}"

        def do_DELETE(self) -> None:
            objects.pop(self.key, None)
            self.answer(204)

        def listed(self, prefix: str, after: str) -> bytes:
            root = f"{self.key.rstrip('/')}/"
            with lock:
                found = sorted((k.removeprefix(root), len(v)) for k, v in objects.items())
            entries = "".join(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{SINCE[0]}</LastModified>"
                f'<ETag>"x"</ETag><Size>{size}</Size></Contents>'
                for key, size in found
                if key.startswith(prefix) and key > after
            )
            return (
                '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>{root.strip('/')}</Name><IsTruncated>false</IsTruncated>"
                f"{entries}</ListBucketResult>"
            ).encode()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield S3(f"http://127.0.0.1:{server.server_port}", "anybody", "a secret of the tests")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
