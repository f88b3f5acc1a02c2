"""A message ready to leave, what takes it away, and how that says no."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import urlsplit

from service.config.settings import Settings
from service.mail_addresses import ascii_domain
from service.storage.models import Channel

DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?")
"""A name in DNS; no bare host name, and no IP address."""
NO_DOMAIN = "rounds.invalid"
"""Stands in a Message-ID where the clinic has no domain at all: reserved, so it is never someone else's."""


@dataclass(frozen=True)
class Attachment:
    """A part beside the text, such as a calendar entry."""

    name: str
    content_type: str
    """With its parameters: `text/calendar; method=REQUEST; charset=utf-8`."""
    content: bytes


@dataclass(frozen=True)
class OutgoingMessage:
    """One message to one recipient, with everything in it, links too; it is never stored."""

    id: int
    recipient: str
    subject: str
    body: str
    """The whole message as plain text."""
    html: str = ""
    """The same as a page, where there is one; only e-mail uses it."""
    attachments: tuple[Attachment, ...] = ()
    unsubscribe_url: str = ""
    """Where a mail program may say, without signing in, that no more are wanted."""
    message_id: str = ""
    """The same at every attempt, so that what arrives twice is seen as one; also the gateway's idempotency key."""


def message_id(row_id: int, created_at: datetime, settings: Settings) -> str:
    """Return what identifies a message on its way for good: `<7.1778220000000000@rounds.example>`.

    The domain is that of the public address or, where that is an IP address or a bare name, the sender's: mail
    filters take a Message-ID without a real domain for spam.
    """
    microseconds = round(created_at.timestamp() * 1_000_000)
    return f"<{row_id}.{microseconds}@{_own_domain(settings)}>"


def _own_domain(settings: Settings) -> str:
    host = urlsplit(settings.clinic.public_url).hostname or ""
    _name, sender = parseaddr(settings.email.sender)
    for domain in (host, sender.rpartition("@")[2]):
        try:
            found = ascii_domain(domain.rstrip("."))
        except ValueError:
            continue
        if DOMAIN.fullmatch(found):
            return found
    return NO_DOMAIN


class DeliveryError(Exception):
    """The channel could not deliver.

    `permanent`: trying again is of no use. `retry_after`: how many seconds to wait at least, where the other side said
    so. `connection`: no one can be reached at present, so the others need not be tried either.
    """

    def __init__(
        self, why: str, *, permanent: bool, retry_after: float | None = None, connection: bool = False
    ) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.retry_after = retry_after
        self.connection = connection


class Unsure(Exception):
    """The line broke while the content was leaving: the message may have arrived."""


class Transport(Protocol):
    """A way to reach a recipient."""

    name: Channel

    def send(self, message: OutgoingMessage, before_data: Callable[[], None]) -> str | None:
        """Deliver, calling `before_data` once just before the content leaves; returns the other side's answer.

        Raises DeliveryError, or Unsure when no one can know.
        """

    def close(self) -> None:
        """There is nothing more to send for now: give back what was kept open."""
