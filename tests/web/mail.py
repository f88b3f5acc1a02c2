"""The clinic's messages as their recipients have them in hand: claimed for real, with working links."""

import re
from urllib.parse import urlsplit

from sqlalchemy import select, true, update

from service.config.settings import Settings
from service.domain.messages import deliveries
from service.notifications.message import OutgoingMessage
from service.storage.models import Message
from tests.house import House
from tests.web.frozen_clinic import Clinic


def letters(clinic: Clinic, settings: Settings | None = None) -> list[OutgoingMessage]:
    """All letters that are due, in order; each is handed over and sent."""
    return letters_of(clinic.house, settings)


def letters_of(house: House, settings: Settings | None = None) -> list[OutgoingMessage]:
    """The same of a house."""
    found: list[OutgoingMessage] = []
    while True:
        with house.writing() as session:
            claim = deliveries.claim(session, "test", settings or house.settings, true())
        if claim is None:
            return found
        assert claim.status != "failed", _why(house, claim.id)
        if claim.outgoing is not None:
            found.append(claim.outgoing)
            with house.writing() as session:
                session.execute(update(Message).where(Message.id == claim.id).values(status="sent"))


def letter(clinic: Clinic, rule: str, settings: Settings | None = None) -> OutgoingMessage:
    """The one letter of a rule that is due."""
    found = {one.id: one for one in letters(clinic, settings)}
    with clinic.house.reading() as session:
        ids = session.scalars(select(Message.id).where(Message.rule == rule, Message.id.in_(found)))
        (only,) = [found[one] for one in ids]
    return only


def link(found: OutgoingMessage, page: str) -> str:
    """The path of a letter's link to a page: `visit`, `offer`, `contact`, `invite` …"""
    (address,) = set(re.findall(rf"http\S+/{page}/[\w-]+", found.body))
    return str(urlsplit(address).path)


def rows(clinic: Clinic, rule: str) -> list[Message]:
    """The outbox's rows of a rule, oldest first."""
    with clinic.house.reading() as session:
        return list(session.scalars(select(Message).where(Message.rule == rule).order_by(Message.id)))


def _why(house: House, message_id: int) -> str | None:
    with house.reading() as session:
        return session.get_one(Message, message_id).last_error
