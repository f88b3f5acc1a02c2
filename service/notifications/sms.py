"""The SMS channel: one request to the HTTP gateway that config.toml describes."""

import json
import re
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from service import clock
from service.config.settings import Clinic
from service.config.settings import Sms as SmsSettings
from service.notifications.message import DeliveryError, OutgoingMessage, Unsure
from service.storage.models import Channel

SECONDS = 20.0
LARGEST_ANSWER = 100_000


class Sms:
    """Sends an SMS through a gateway, with an idempotency key."""

    name = Channel.SMS

    def __init__(self, settings: SmsSettings, secret: str, clinic: Clinic) -> None:
        self._settings = settings
        self._secret = secret
        self._countries = frozenset(settings.countries or [clinic.country])

    def send(self, message: OutgoingMessage, before_data: Callable[[], None]) -> str:
        """Send one SMS, and return the gateway's response, starting with its id. Raises DeliveryError and Unsure."""
        check_number(message.recipient, self._countries)
        values = self._values(message)
        address = urlsplit(_fill(self._settings.url, values, lambda value: quote(value, safe="")))
        headers = {name: _fill(words, values, _one_line) for name, words in self._settings.headers.items()}
        body = _fill(self._settings.body, values, _escape_of(headers)).encode()
        with closing(self._connect(address.scheme, address.netloc)) as connection:
            before_data()
            try:
                target = f"{address.path or '/'}{'?' if address.query else ''}{address.query}"
                connection.request(self._settings.method, target, body or None, headers)
                answer = connection.getresponse()
            except (OSError, HTTPException) as error:
                raise Unsure(f"no answer of the gateway: {type(error).__name__}") from None
            content = b""
            with suppress(OSError, HTTPException):  # the status line is enough
                content = answer.read(LARGEST_ANSWER)
        return self._judge(answer, content)

    def close(self) -> None:
        """Do nothing: each request has its own connection."""

    def try_out(self) -> None:
        """Connect to the gateway without sending a request. Raises DeliveryError that says what is wrong."""
        address = urlsplit(_fill(self._settings.url, self._values(OutgoingMessage(0, "", "", "")), quote))
        self._connect(address.scheme, address.netloc).close()

    def _values(self, message: OutgoingMessage) -> Mapping[str, str]:
        known = f"{self._settings.username}:{self._secret}".encode()
        return {
            "to": message.recipient,
            "text": message.body.strip(),
            "sender": self._settings.sender,
            "username": self._settings.username,
            "secret": self._secret,
            "basic": b64encode(known).decode("ascii"),
            "key": message.message_id.strip("<>"),
        }

    def _connect(self, scheme: str, netloc: str) -> HTTPConnection:
        connection: HTTPConnection = (
            HTTPSConnection(netloc, timeout=SECONDS, context=ssl.create_default_context())
            if scheme == "https"
            else HTTPConnection(netloc, timeout=SECONDS)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            why = f"the gateway cannot be reached: {error.strerror or type(error).__name__}"
            raise DeliveryError(why, permanent=False, connection=True) from None
        return connection

    def _judge(self, answer: HTTPResponse, content: bytes) -> str:
        """Return a positive response with its id. Raises DeliveryError."""
        text = " ".join(content.decode("utf-8", "replace").split())[:400]
        if answer.status in self._settings.success:
            return f"{answer.status} {self._id(content) or text}".strip()
        passing = answer.status == 429 or answer.status >= 500
        raise DeliveryError(
            f"{answer.status} {text}".strip(),
            permanent=not passing and answer.status not in (401, 403),
            retry_after=_seconds(answer.headers.get("Retry-After")),
            connection=passing or answer.status in (401, 403),
        )

    def _id(self, content: bytes) -> str:
        """Return the field `id_field` of a JSON response, a dotted path such as `messages.0.id`; empty if missing."""
        try:
            found: Any = json.loads(content)
            for step in self._settings.id_field.split(".") if self._settings.id_field else []:
                found = found[int(step)] if isinstance(found, list) else found[step]
        except (ValueError, LookupError, TypeError):
            return ""
        return f"id {found}" if self._settings.id_field and isinstance(found, str | int) else ""


def check_number(number: str, countries: frozenset[str]) -> None:
    """Raise DeliveryError if a number is invalid, premium-rate, or not in one of our countries."""
    import phonenumbers  # takes 30 ms, and only clinics that send SMS need it

    kinds = phonenumbers.PhoneNumberType
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        raise DeliveryError("the number is no telephone number", permanent=True) from None
    if not phonenumbers.is_valid_number(parsed):
        raise DeliveryError("the number is no telephone number", permanent=True)
    usual = (kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE, kinds.FIXED_LINE, kinds.VOIP)
    if phonenumbers.number_type(parsed) not in usual:
        raise DeliveryError("the number is of a kind that gets no SMS, such as a premium one", permanent=True)
    if phonenumbers.region_code_for_number(parsed) not in countries:
        raise DeliveryError("the number lies in a country that [sms] countries does not name", permanent=True)


def _fill(words: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """Replace each `{name}` with its value. Values are not templates themselves."""
    return re.sub(r"\{(\w+)\}", lambda found: escape(values[found[1]]), words)


def _escape_of(headers: Mapping[str, str]) -> Callable[[str], str]:
    """Return how to escape values in the body, depending on the content type."""
    kinds = [value for name, value in headers.items() if name.lower() == "content-type"]
    if any("json" in kind for kind in kinds):
        return lambda value: json.dumps(value)[1:-1]
    if any("x-www-form-urlencoded" in kind for kind in kinds):
        return quote_plus
    return lambda value: value


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _seconds(retry_after: str | None) -> float | None:
    """Return how long to wait according to Retry-After, in seconds or as a date; None if it's invalid."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - clock.now()).total_seconds())
    except (ValueError, TypeError):
        return None
