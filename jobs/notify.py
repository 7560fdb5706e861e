"""
Where alerts go: the log, a webhook, an e-mail. One place is one word of the setting `alerts`.

    log                                     the command's own messages
    https://host/path                       POST {"text": …, "lines": […]}, as chat services take it
    smtp://[user:password@]host[:port]/to   a mail to that address
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from catalog.errors import TryAgain, UsageError
from jobs.post import SECONDS, post_json

SENDER = "redcliff@localhost"


class Notifier(Protocol):
    """Tells people; `TryAgain` when it cannot now."""

    def tell(self, lines: Sequence[str]) -> None:
        """Tell these alerts, a line each."""
        ...


class LogNotifier:
    """Says each line to whoever runs the command."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def tell(self, lines: Sequence[str]) -> None:
        """A note for each line."""
        for line in lines:
            self._say(line)


class WebhookNotifier:
    """Posts all lines as one JSON document."""

    def __init__(self, url: str) -> None:
        self._url = url

    def tell(self, lines: Sequence[str]) -> None:
        """One request; an answer other than 2xx is a failure."""
        document = {"text": "\n".join(lines), "lines": list(lines)}
        try:
            post_json(self._url, json.dumps(document, ensure_ascii=False))
        except OSError as error:
            host = urlsplit(self._url).hostname
            raise TryAgain(f"alerts could not be posted to {host} ({error})") from error


class MailNotifier:
    """Sends all lines as one mail."""

    def __init__(self, address: SplitResult) -> None:
        self._address = address

    def tell(self, lines: Sequence[str]) -> None:
        """One mail; a host with a login is spoken to with TLS only."""
        message = EmailMessage()
        message["Subject"] = f"redcliff: {len(lines)} alerts"
        message["From"] = SENDER
        message["To"] = self._address.path.lstrip("/")
        message.set_content("\n".join(lines))
        host, user = self._address.hostname or "localhost", self._address.username
        try:
            with smtplib.SMTP(host, self._address.port or 25, timeout=SECONDS) as server:
                if user:
                    server.starttls()
                    server.login(unquote(user), unquote(self._address.password or ""))
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            raise TryAgain(f"alerts could not be mailed through {host} ({error})") from error


def notifiers(places: Sequence[str], say: Callable[[str], None]) -> list[Notifier]:
    """The notifiers that the setting names; `UsageError` for a word that is none."""
    made: list[Notifier] = []
    for place in places:
        address = urlsplit(place)
        if place == "log":
            made.append(LogNotifier(say))
        elif address.scheme in ("http", "https") and address.hostname:
            made.append(WebhookNotifier(place))
        elif address.scheme == "smtp" and address.hostname and "@" in address.path:
            made.append(MailNotifier(address))
        else:
            raise UsageError(f"alerts: {place!r} is no place; write log, https://… or smtp://…/to")
    return made
