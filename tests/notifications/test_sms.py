"""SMS against a real HTTP gateway: what it is asked, what it refuses and how, which numbers are written to."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import time_machine

from service.config.settings import Clinic, Settings, SettingsError
from service.config.settings import Sms as SmsSettings
from service.notifications import sms
from service.notifications.channels import choose
from service.notifications.message import DeliveryError, OutgoingMessage, Unsure
from service.notifications.sms import Sms
from service.storage.models import Channel
from tests.house import at
from tests.services.sms_gateway import Answer, Gateway, running

CLINIC = Clinic(country="DE")
TEXT = 'Mon, 4 May, 14:00 "Dr Berg" & {to}\n'
LETTER = OutgoingMessage(7, "+4915735985555", "", TEXT, message_id="<7.1@rounds.clinic.example>")


def silent() -> None:
    """Nothing to note before the content leaves."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway that sends everything."""
    made = Gateway()
    with running(made):
        yield made


def channel(gateway: Gateway, secret: str = "open sesame", **more: Any) -> Sms:
    return Sms(SmsSettings(**gateway.settings(**more)), secret, CLINIC)


def refused(gateway: Gateway, letter: OutgoingMessage = LETTER, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as error:
        channel(gateway, **more).send(letter, silent)
    return error.value


def test_the_gateway_is_asked_as_the_settings_say(gateway: Gateway) -> None:
    assert channel(gateway).send(LETTER, silent) == "201 id SM1"
    ((path, headers, body),) = gateway.requests
    assert path == "/accounts/AC%201/messages?from=Praxis%20%26%20Co"
    assert headers["Authorization"] == "Bearer open sesame"
    assert headers["Idempotency-Key"] == "7.1@rounds.clinic.example"
    assert json.loads(body) == {"to": "+4915735985555", "text": TEXT.strip()}, "a value is never a template"


def test_a_form_and_basic_sign_in_do_as_well(gateway: Gateway) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic {basic}"}
    gateway.answers = lambda _turn: Answer(500)
    refused(gateway, headers=headers, body="To={to}&Body={text}")
    ((_path, sent, body),) = gateway.requests
    assert base64.b64decode(sent["Authorization"].removeprefix("Basic ")) == b"AC 1:open sesame"
    assert body == "To=%2B4915735985555&Body=Mon%2C+4+May%2C+14%3A00+%22Dr+Berg%22+%26+%7Bto%7D"


@pytest.mark.parametrize(
    ("status", "permanent", "connection"),
    [
        *[(status, True, False) for status in (302, 400, 404, 422)],
        *[(status, False, True) for status in (401, 403, 429, 500, 503)],
    ],
)
def test_f17_what_the_gateway_refuses_and_for_how_long(
    gateway: Gateway, status: int, permanent: bool, connection: bool
) -> None:
    gateway.answers = lambda _turn: Answer(status)
    error = refused(gateway)
    assert (error.permanent, error.connection) == (permanent, connection)
    assert str(error).startswith(str(status))
    assert "sesame" not in str(error)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("Mon, 04 May 2026 06:05:00 GMT", 300.0),
        ("Mon, 04 May 2026 05:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_f17_how_long_to_wait_is_heard(gateway: Gateway, said: str, seconds: float | None) -> None:
    gateway.answers = lambda _turn: Answer(429, {"Retry-After": said})
    with time_machine.travel(at("2026-05-04 06:00"), tick=False):
        assert refused(gateway).retry_after == seconds


def test_f17_a_request_that_is_repeated_sends_one_sms(gateway: Gateway) -> None:
    gateway.answers = lambda turn: Answer(drop=True) if turn == 1 else Answer()
    with pytest.raises(Unsure):
        channel(gateway).send(LETTER, silent)
    channel(gateway).send(LETTER, silent)
    assert len(gateway.requests) == 2
    assert len(gateway.sent) == 1


def test_f17_a_gateway_that_is_slow_leaves_it_open(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sms, "SECONDS", 0.2)
    gateway.hangs.set()
    with pytest.raises(Unsure):
        channel(gateway).send(LETTER, silent)


def test_f12_a_gateway_that_is_down_concerns_all_sms() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        error = refused(Gateway(port=unused.getsockname()[1]))
    assert (error.permanent, error.connection) == (False, True)


def test_the_hand_over_is_noted_before_anything_leaves(gateway: Gateway) -> None:
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    with pytest.raises(Lost):
        channel(gateway).send(LETTER, lost)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("+491375500000", "premium"),
        ("+4990012345678", "premium"),
        ("+19002345678", "premium"),
        ("+881612345678", "country"),
        ("+12125550123", "country"),
        ("+43664123456", "country"),
        ("+49", "no telephone number"),
        ("017012345", "no telephone number"),
        ("", "no telephone number"),
    ],
)
def test_r9_numbers_that_cost_or_lie_elsewhere_are_not_written_to(gateway: Gateway, number: str, words: str) -> None:
    error = refused(gateway, replace(LETTER, recipient=number))
    assert error.permanent
    assert words in str(error) or "no telephone number" in str(error)
    assert gateway.requests == []


def test_r9_other_countries_may_be_named(gateway: Gateway) -> None:
    channel(gateway, countries=["AT", "DE"]).send(replace(LETTER, recipient="+43664123456"), silent)
    assert len(gateway.sent) == 1


def test_o8_a_secret_that_is_missing_stops_the_start(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(sms=SmsSettings(**gateway.settings()))
    with pytest.raises(SettingsError, match="ROUNDS_SMS_SECRET"):
        choose(settings)
    monkeypatch.setenv("ROUNDS_SMS_SECRET", "open sesame")
    assert choose(settings).of(Channel.SMS).name == "sms"
    assert "sesame" not in repr(settings)
