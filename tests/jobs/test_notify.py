from __future__ import annotations

import http.server
import json
import socket
import socketserver
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from catalog.errors import EnvironmentProblem, TryAgain, UsageError
from jobs.emit import emit
from jobs.notify import notifiers


class Heard(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    documents: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.documents.append(json.loads(self.rfile.read(length)))
        self.send_response(200 if self.path == "/good" else 500)
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Heard.documents.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Heard) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()


class Mailbox(socketserver.StreamRequestHandler):
    """The few words of SMTP that one mail takes."""

    mails: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        body: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if body is not None:
                if line == ".":
                    self.mails.append("\n".join(body))
                    body = None
                    self.wfile.write(b"250 kept\r\n")
                else:
                    body.append(line)
            elif line.upper() == "DATA":
                body = []
                self.wfile.write(b"354 go\r\n")
            elif line.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


def test_a_webhook_is_posted_all_lines_as_one_document(server: str) -> None:
    (hook,) = notifiers([f"{server}/good"], print)

    hook.tell(["late: a", "held: b"])

    assert Heard.documents == [{"text": "late: a\nheld: b", "lines": ["late: a", "held: b"]}]


def test_what_cannot_be_told_now_is_told_again(server: str) -> None:
    (hook,) = notifiers([f"{server}/bad"], print)

    with pytest.raises(TryAgain, match=r"could not be posted to 127\.0\.0\.1"):
        hook.tell(["late: a"])


def test_a_mail_goes_to_its_address() -> None:
    Mailbox.mails.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        port = made.server_address[1]
        (mail,) = notifiers([f"smtp://127.0.0.1:{port}/officer@city.example"], print)

        mail.tell(["late: a", "held: b"])

        made.shutdown()
    (kept,) = Mailbox.mails
    assert "To: officer@city.example" in kept
    assert kept.endswith("late: a\nheld: b\n") or kept.endswith("late: a\nheld: b")


@pytest.mark.parametrize("place", ["pigeon", "ftp://host/x", "smtp://host/nobody", "https:///x"])
def test_a_place_that_is_none_is_wrong_use(place: str) -> None:
    with pytest.raises(UsageError, match=r"is no place; write log, https://"):
        notifiers([place], print)


def test_events_are_appended_to_a_file_or_posted(server: str, tmp_path: Path) -> None:
    file = tmp_path / "lineage.jsonl"

    emit([{"n": 1}], str(file))
    emit([{"n": 2}, {"n": 3}], str(file))
    emit([{"n": 4}], f"{server}/good")

    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == [1, 2, 3]
    assert Heard.documents == [{"n": 4}]
    assert file.stat().st_mode & 0o077 == 0


def test_events_that_nobody_takes_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    for place in (f"http://127.0.0.1:{port}/", str(tmp_path / "none" / "file")):
        with pytest.raises(EnvironmentProblem, match="change the setting lineage"):
            emit([{"n": 1}], place)
