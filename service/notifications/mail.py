"""Compose an e-mail: one recipient, text and HTML, attachments, and no header injection.

Subject and sender are encoded by `email.header`. The way Python's newer classes fold a header changes spaces between
encoded words, and makes words of more than the 75 characters that RFC 2047 allows.
"""

import re
from email.errors import MessageError
from email.header import Header
from email.headerregistry import (
    Address,
    HeaderRegistry,
    UniqueSingleAddressHeader,
    UniqueUnstructuredHeader,
    UnstructuredHeader,
)
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime, parseaddr

from service import clock
from service.mail_addresses import ascii_domain
from service.notifications.message import DeliveryError, OutgoingMessage

LONGEST_PLAIN_NAME = 40
"""A longer name is encoded, so that it can be folded."""
LONGEST_WORD = 74
"""Of an encoded word; `email.header` makes them one longer than it's told."""


class _Whole(UnstructuredHeader):
    """A header that is never folded: a long URL in it would be encoded, and mail programs wouldn't recognize it."""

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Subject(UniqueUnstructuredHeader):
    """A subject that every mail program shows as it was written."""

    name: str

    def fold(self, *, policy: EmailPolicy) -> str:
        return f"{self.name}: {_encoded(str(self), self.name, policy)}{policy.linesep}"


class _Sender(UniqueSingleAddressHeader):
    """A sender whose name every mail program shows as it was written."""

    name: str
    address: Address

    def fold(self, *, policy: EmailPolicy) -> str:
        shown = self.address.display_name
        if shown.isascii() and len(shown) <= LONGEST_PLAIN_NAME:
            return f"{self.name}: {self}{policy.linesep}"
        name = _encoded(shown, self.name, policy, always=True)
        return f"{self.name}: {name}{policy.linesep} <{self.address.addr_spec}>{policy.linesep}"


def _encoded(text: str, name: str, policy: EmailPolicy, *, always: bool = False) -> str:
    charset = "us-ascii" if text.isascii() and not always else "utf-8"
    return Header(text, charset, maxlinelen=LONGEST_WORD, header_name=name).encode(linesep=policy.linesep)


def _headers() -> HeaderRegistry:
    registry = HeaderRegistry()
    registry.map_to_type("subject", _Subject)  # type: ignore[arg-type]
    registry.map_to_type("from", _Sender)  # type: ignore[arg-type]
    registry.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type]
    return registry


POLICY = SMTP.clone(header_factory=_headers())


def sender_of(words: str, clinic_name: str) -> Address:
    """Return the sender `Name <address>` of the settings. Without a name, use the clinic's."""
    name, address = parseaddr(words)
    username, _at, domain = address.rpartition("@")
    return Address(" ".join((name or clinic_name).split()), username, ascii_domain(domain))


def recipient_of(message: OutgoingMessage) -> Address:
    """Return the recipient. Raises DeliveryError if the address is invalid."""
    try:
        found = Address(addr_spec=re.sub(r"[^\x00-\x7f]", "x", message.recipient))  # only knows the rules of ASCII
        if not found.username or not found.domain or found.addr_spec.count("@") != 1:
            raise ValueError
        name, _, domain = message.recipient.rpartition("@")
        return Address(username=name, domain=ascii_domain(domain))
    except (ValueError, IndexError, MessageError):
        raise DeliveryError("the address is no e-mail address", permanent=True) from None


def compose(message: OutgoingMessage, sender: Address, recipient: Address) -> EmailMessage:
    """Compose the whole e-mail. Raises DeliveryError if a part of it can't be sent."""
    mail = EmailMessage(policy=POLICY)
    try:
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, message.subject
        mail["Date"] = format_datetime(clock.now())
        mail["Message-ID"] = message.message_id
        mail["Auto-Submitted"] = "auto-generated"
        if message.unsubscribe_url:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
            if message.unsubscribe_url.startswith("https://"):  # RFC 8058 requires https for one-click unsubscribing
                mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    except (ValueError, IndexError, MessageError):
        raise DeliveryError("subject, sender or address cannot stand in a mail", permanent=True) from None
    mail.set_content(message.body)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    for part in message.attachments:
        kind = EmailMessage(policy=POLICY)
        kind["Content-Type"] = part.content_type
        mail.add_attachment(
            part.content,
            maintype=kind.get_content_maintype(),
            subtype=kind.get_content_subtype(),
            filename=part.name,
            params=dict(kind["Content-Type"].params),
        )
    return mail
