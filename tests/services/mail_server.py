"""A real mail server for tests: it can refuse, delay, hang, drop the line, and counts what reaches whom."""

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived: whom it was for, and what was in it."""

    recipients: tuple[str, ...]
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)


def yes(_recipient: str) -> str:
    """The answer of a server that takes everything."""
    return ""


@dataclass
class MailServer:
    """What the server does: each answer is asked of a function, "" is yes."""

    mails: list[Mail] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    """The sender of each e-mail."""
    connections: int = 0
    on_sender: Callable[[str], str] = yes
    on_recipient: Callable[[str], str] = yes
    on_content: Callable[[str], str] = yes
    """`DROP` closes the line after the content has arrived, without an answer."""
    seconds: float = 0.0
    """How long it takes its time over each content."""
    login: tuple[str, str] | None = None
    smtputf8: bool = True
    """Whether it offers to take addresses with letters that are not ASCII."""
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def told(self) -> Counter[str]:
        """How many mails each address got."""
        return Counter(recipient for mail in self.mails for recipient in mail.recipients)

    def settings(self, **more: Any) -> dict[str, Any]:
        """The `[email]` of a clinic whose mail server this is."""
        return {
            "enabled": True,
            "host": self.host,
            "port": self.port,
            "security": "none",
            "sender": "Practice at the Park <desk@clinic.example>",
            **more,
        }

    def toml(self) -> str:
        """The same, as config.toml says it."""
        lines = (f"{name} = {json.dumps(value)}" for name, value in self.settings().items())
        return "\n".join(["[email]", *lines])

    # What aiosmtpd calls

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender is named."""
        self.senders.append(address)
        refusal = self.on_sender(address)
        if not refusal:
            envelope.mail_from, envelope.mail_options = address, options
        return refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """A recipient is named."""
        refusal = self.on_recipient(address)
        if refusal == "DROP":
            _drop(server)
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The content has arrived."""
        await asyncio.sleep(self.seconds)
        refusal = self.on_content(envelope.rcpt_tos[0])
        if not refusal or refusal == "DROP":
            self.mails.append(Mail(tuple(envelope.rcpt_tos), cast(bytes, envelope.content)))
        if refusal == "DROP":
            _drop(server)
        return refusal or f"250 OK queued as {len(self.mails)}"


def _drop(server: SMTP) -> None:
    """Disconnect silently."""
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


class _Controller(Controller):
    def __init__(self, server: MailServer, **more: Any) -> None:
        self.rules = server
        super().__init__(server, server.host, server.port, enable_SMTPUTF8=server.smtputf8, **more)

    def factory(self) -> SMTP:
        """One protocol a connection."""
        self.rules.connections += 1
        login = self.rules.login

        def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any) -> AuthResult:
            assert isinstance(given, LoginPassword)
            return AuthResult(success=(given.login.decode(), given.password.decode()) == login, handled=False)

        auth = {"authenticator": check, "auth_require_tls": False} if login else {}
        return SMTP(self.handler, **{**self.SMTP_kwargs, **auth, "hostname": "mail.example"})

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def running(server: MailServer, context: ssl.SSLContext | None = None, *, starttls: bool = False) -> Iterator[None]:
    """The server answers as long as the block lasts: plainly, or under TLS from the start or after STARTTLS."""
    if context is None:
        controller = _Controller(server)
    elif starttls:
        controller = _Controller(server, tls_context=context, require_starttls=True)
    else:
        controller = _Controller(server, ssl_context=context)
    controller.start()
    try:
        server.port, server.connections = controller.port, 0
        yield
    finally:
        controller.stop()


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    """A server's certificate for a name, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, file
