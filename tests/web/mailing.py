"""The frozen clinic with e-mail set up: a real mail server takes what leaves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from service.storage.models import Installation
from tests.house import House
from tests.services.mail_server import MailServer, running
from tests.web.frozen_clinic import NOW, Clinic


@dataclass(frozen=True)
class Mailing:
    """The clinic, and the mail server it sends by."""

    clinic: Clinic
    server: MailServer

    def deliver(self) -> list[str]:
        """Send what is due; returns the addresses that got a mail for it."""
        before = len(self.server.mails)
        self.clinic.house.deliver()
        return [mail.recipients[0] for mail in self.server.mails[before:]]


@pytest.fixture(name="mailing")
def a_mailing_clinic(clinic: Clinic, make_house: Callable[..., House]) -> Iterator[Mailing]:
    """The clinic of frozen_clinic.py that sends e-mail; nothing waits in its outbox."""
    server = MailServer()
    with running(server):
        house = make_house(email=server.settings())
        house.deliver()
        server.mails.clear()
        yield Mailing(replace(clinic, house=house), server)


def make_demo(clinic: Clinic) -> None:
    """Let the demo mark stand."""
    with clinic.house.writing() as session:
        session.get_one(Installation, 1).demo_at = NOW
