"""Addresses in any script against a real Postfix, with SMTPUTF8 and without."""

import os
from dataclasses import replace

import pytest

from service.config.settings import Clinic
from service.config.settings import Email as EmailSettings
from service.notifications.email import Email
from service.notifications.message import DeliveryError, OutgoingMessage
from tests.services import postfix

pytestmark = pytest.mark.foreign

LETTER = OutgoingMessage(7, "", "Your visit on Mon, 4 May", "Hello Zoë,\n", message_id="<7.1@clinic.example>")
ADDRESSES = {
    "max@straße.de": "max@xn--strae-oqa.de",
    "Lena@νίκος.gr": "Lena@xn--kxawhkp.gr",
    "Groß@example.com": "Groß@example.com",
    "νίκος@νίκος.gr": "νίκος@xn--kxawhkp.gr",
}
"""An address as typed, and as Postfix should receive it."""


@pytest.fixture(autouse=True)
def _needs_postfix() -> None:
    if not postfix.is_here():
        if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
            pytest.fail("Postfix is not installed, or this is not root")
        pytest.skip("needs Postfix, and root to start it")


def test_i1_postfix_delivers_to_addresses_in_any_script() -> None:
    with postfix.running(smtputf8=True) as server:
        channel = Email(EmailSettings(**server.settings()), "", Clinic())
        for address in ADDRESSES:
            channel.send(replace(LETTER, recipient=address), lambda: None)
        channel.close()
        mails = server.delivered(len(ADDRESSES))
    assert {str(mail["X-Original-To"]) for mail in mails} == set(ADDRESSES.values())
    assert {str(mail["To"]) for mail in mails} == set(ADDRESSES.values())


def test_i1_without_smtputf8_only_ascii_local_parts_leave_and_the_others_say_why() -> None:
    with postfix.running(smtputf8=False) as server:
        channel = Email(EmailSettings(**server.settings()), "", Clinic())
        for address, as_sent in ADDRESSES.items():
            if as_sent.isascii():
                channel.send(replace(LETTER, recipient=address), lambda: None)
                continue
            with pytest.raises(DeliveryError, match="doesn't support addresses with letters such as ß") as error:
                channel.send(replace(LETTER, recipient=address), lambda: None)
            assert error.value.permanent
        channel.close()
        mails = server.delivered(2)
    assert {str(mail["X-Original-To"]) for mail in mails} == {"max@xn--strae-oqa.de", "Lena@xn--kxawhkp.gr"}
