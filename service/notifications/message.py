"""A message that is ready to send, the interface of a channel, and its errors."""

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
"""A full domain name, not a bare host name or an IP address."""
NO_DOMAIN = "rounds.invalid"
"""Used in a Message-ID if the clinic has no domain: reserved, so it's never someone else's."""


@dataclass(frozen=True)
class Attachment:
    """An attachment, such as a calendar entry."""

    name: str
    content_type: str
    """With its parameters: `text/calendar; method=REQUEST; charset=utf-8`."""
    content: bytes


@dataclass(frozen=True)
class OutgoingMessage:
    """A complete message to one recipient, including working links. It's never stored."""

    id: int
    recipient: str
    subject: str
    body: str
    """The whole message as plain text."""
    html: str = ""
    """The message as HTML, for e-mail; may be empty."""
    attachments: tuple[Attachment, ...] = ()
    unsubscribe_url: str = ""
    """The URL for one-click unsubscribing."""
    message_id: str = ""
    """The same for every attempt, so that duplicates can be recognized; also the gateway's idempotency key."""


def message_id(row_id: int, created_at: datetime, settings: Settings) -> str:
    """Return the permanent id of a message: `<7.1778220000000000@rounds.example>`.

    The domain is that of the public URL or, if that's an IP address or a bare name, the sender's, because mail filters
    treat a Message-ID without a real domain as spam.
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
    """The channel couldn't send the message.

    `permanent`: a retry won't help. `retry_after`: how many seconds to wait at least, if the other side said so.
    `connection`: the server can't be reached, so there's no point in trying other messages now.
    """

    def __init__(
        self, why: str, *, permanent: bool, retry_after: float | None = None, connection: bool = False
    ) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.retry_after = retry_after
        self.connection = connection


class Unsure(Exception):
    """The connection broke while the content was being sent: the message may have arrived."""


class Transport(Protocol):
    """The interface of a channel."""

    name: Channel

    def send(self, message: OutgoingMessage, before_data: Callable[[], None]) -> str | None:
        """Send, calling `before_data` once right before the content, and return the server's response.

        Raises DeliveryError, or Unsure if the delivery is unknown.
        """

    def close(self) -> None:
        """Close connections that aren't needed for now."""
