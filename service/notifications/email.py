"""The e-mail channel: SMTP with timeouts, one recipient per message, and one connection for many messages."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from threading import Lock
from urllib.parse import urlsplit

from service.config.settings import Clinic
from service.config.settings import Email as EmailSettings
from service.notifications import mail
from service.notifications.message import DeliveryError, OutgoingMessage, Unsure
from service.storage.models import Channel

SECONDS = 15.0
"""The timeout for each response except the last one."""
LAST_SECONDS = 60.0
"""The timeout for the response to the content, because many servers scan for viruses first."""
NO_SMTPUTF8 = (
    "the clinic's mail server doesn't support addresses with letters such as ß or é before the @ (SMTPUTF8): "
    "ask the person for another address"
)


class Email:
    """Sends e-mail to the clinic's mail server. Each sending thread has its own connection."""

    name = Channel.EMAIL

    def __init__(self, settings: EmailSettings, password: str, clinic: Clinic) -> None:
        self._settings = settings
        self._password = password
        self._sender = mail.sender_of(settings.sender, clinic.name)
        self._own_name = _own_name(clinic.public_url)
        self._kept: list[smtplib.SMTP] = []
        self._lock = Lock()

    def send(self, message: OutgoingMessage, before_data: Callable[[], None]) -> str:
        """Send a message to the mail server, and return its response. Raises DeliveryError and Unsure."""
        recipient = mail.recipient_of(message)
        written = mail.compose(message, self._sender, recipient)
        utf8 = not (recipient.addr_spec.isascii() and self._sender.addr_spec.isascii())
        smtp = self._accepting(utf8=utf8)
        try:
            with _lines_that_break():
                _expect(smtp.rcpt(recipient.addr_spec))
            content = written.as_bytes(policy=mail.POLICY.clone(utf8=utf8))
            before_data()
            answer = _hand_over(smtp, content)
        except DeliveryError as error:
            if error.connection:
                _hang_up(smtp)
            else:
                with suppress(OSError):
                    smtp.rset()  # the next message starts fresh
                self._keep(smtp)
            raise
        except BaseException:
            _hang_up(smtp)
            raise
        self._keep(smtp)
        return answer

    def close(self) -> None:
        """Disconnect from the server."""
        while (smtp := self._take()) is not None:
            with suppress(OSError):
                smtp.quit()
            _hang_up(smtp)

    def try_out(self) -> None:
        """Connect, sign in, and disconnect. Raises DeliveryError that says what is wrong."""
        self._keep(self._connect())
        self.close()

    def _accepting(self, *, utf8: bool) -> smtplib.SMTP:
        """Return a connection on which the server has accepted our sender: the open one, or a new one."""
        smtp = self._take()
        if smtp is not None:
            with suppress(OSError):
                if self._introduce(smtp, utf8=utf8)[0] == 250:
                    return smtp
            _hang_up(smtp)
        smtp = self._connect()
        try:
            with _lines_that_break():
                _expect(self._introduce(smtp, utf8=utf8), connection=True)
        except DeliveryError as error:
            if error.connection:
                _hang_up(smtp)
            raise
        return smtp

    def _introduce(self, smtp: smtplib.SMTP, *, utf8: bool) -> tuple[int, bytes]:
        """Send the sender's address. Raises DeliveryError if it has letters the server doesn't support."""
        if utf8 and not smtp.has_extn("smtputf8"):
            self._keep(smtp)
            raise DeliveryError(NO_SMTPUTF8, permanent=True)
        return smtp.mail(self._sender.addr_spec, ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else [])

    def _connect(self) -> smtplib.SMTP:
        """Connect with encryption and sign-in according to the settings. Raises DeliveryError."""
        chosen = self._settings
        with _lines_that_break():
            if chosen.security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                    chosen.host, chosen.port, self._own_name, timeout=SECONDS, context=self._trusted()
                )
            else:
                smtp = smtplib.SMTP(chosen.host, chosen.port, self._own_name, SECONDS)
            try:
                if chosen.security == "starttls":
                    smtp.starttls(context=self._trusted())
                smtp.ehlo_or_helo_if_needed()
                if chosen.username:
                    smtp.login(chosen.username, self._password)
            except BaseException:
                _hang_up(smtp)
                raise
        return smtp

    def _trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    def _take(self) -> smtplib.SMTP | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _keep(self, smtp: smtplib.SMTP) -> None:
        with self._lock:
            self._kept.append(smtp)


def _hand_over(smtp: smtplib.SMTP, content: bytes) -> str:
    """Send the content, and return the server's response. If the connection breaks here, delivery is unknown."""
    assert smtp.sock is not None
    try:
        smtp.sock.settimeout(LAST_SECONDS)
        code, answer = smtp.data(content)
        smtp.sock.settimeout(SECONDS)
    except smtplib.SMTPDataError as refused:  # before any content was sent
        code, answer = refused.smtp_code, _bytes(refused.smtp_error)
    except OSError as error:
        raise Unsure(f"no answer to the content: {_words(error)}") from None
    return _expect((code, answer))


def _expect(reply: tuple[int, bytes], *, connection: bool = False) -> str:
    """Return the text of a positive response. Raises DeliveryError. `connection`: a refusal affects all mail."""
    code, answer = reply
    words = f"{code} {' '.join(answer.decode('utf-8', 'replace').split())}"
    if 200 <= code < 300:
        return words
    everybody = connection or code == 421  # the server is about to disconnect
    raise DeliveryError(words, permanent=code >= 500 and not everybody, connection=everybody)


@contextmanager
def _lines_that_break() -> Iterator[None]:
    """Turn errors of the connection or the server into temporary errors that affect all mail."""
    try:
        yield
    except DeliveryError:
        raise
    except OSError as error:  # includes smtplib's errors
        raise DeliveryError(_words(error), permanent=False, connection=True) from None


def _words(error: OSError) -> str:
    """Explain an error for the person who sets up e-mail."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"the mail server refuses user name or password: {_said(error)}"
        case smtplib.SMTPResponseException():
            return f"the mail server says {_said(error)}"
        case smtplib.SMTPNotSupportedError():
            return f"{error} Is [email] security right?"
        case ssl.SSLCertVerificationError():
            return f"the mail server's certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"no protected connection: {error.reason}. Are [email] port and security right?"
        case socket.gaierror():
            return "no mail server of that name is known: is [email] host right, and the network there?"
        case TimeoutError():
            return "the mail server does not answer in time"
        case ConnectionRefusedError():
            return "the mail server does not answer: are [email] host and port right?"
    return str(error) or type(error).__name__


def _said(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {' '.join(_bytes(error.smtp_error).decode('utf-8', 'replace').split())}"


def _bytes(answer: bytes | str) -> bytes:
    return answer.encode() if isinstance(answer, str) else answer


def _hang_up(smtp: smtplib.SMTP) -> None:
    with suppress(OSError):
        smtp.close()


def _own_name(public_url: str) -> str:
    """Return our host name, without asking the network, which may take long."""
    host = urlsplit(public_url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host if "." in host else "[127.0.0.1]"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
