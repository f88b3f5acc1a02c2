"""The outbox as its tests handle it: plan today's reminders, claim one, look at what became of it."""

from typing import Any

from sqlalchemy import true, update

from service.config.settings import Clinic, Settings
from service.domain.foundation.actor import Actor
from service.domain.messages import deliveries
from service.domain.messages.deliveries import Claim
from service.domain.outbox import outbox, reminders
from service.domain.outbox.channels import WAYS
from service.notifications.message import DeliveryError, OutgoingMessage
from service.storage.models import Appointment, Message, User
from tests.house import House, day

CLINIC = Clinic(name="Practice at the Park", phone="+49 30 1234567")
SETTINGS = Settings(clinic=CLINIC)


def planned(house: House) -> None:
    with house.writing() as session:
        reminders.plan(session, reminders.of_day(day("2026-05-04"), CLINIC.zone), WAYS)


def posted(house: House, to: Actor, rule: str = "account_changed") -> int:
    """A message to someone who signs in, about no appointment; returns its id."""
    with house.writing() as session:
        return outbox.to_user(session, rule, session.get_one(User, to.user_id), event="test").id


def claim(house: House, owner: str = "one", clinic: Clinic = CLINIC, **sections: Any) -> Claim | None:
    settings = Settings(**{"clinic": clinic, "messages": house.settings.messages, **sections})
    with house.writing() as session:
        return deliveries.claim(session, owner, settings, true())


def letter(house: House, clinic: Clinic = CLINIC) -> OutgoingMessage:
    """The one letter that is due."""
    claimed = claim(house, clinic=clinic)
    assert claimed is not None
    assert claimed.outgoing is not None
    return claimed.outgoing


def row(house: House, message_id: int) -> Message:
    with house.reading() as session:
        return session.get_one(Message, message_id)


def change(house: House, visit: int, **values: Any) -> None:
    with house.writing() as session:
        session.execute(update(Appointment).where(Appointment.id == visit).values(**values))


def taken(house: House, owner: str = "one") -> Claim:
    """The one message that is due, claimed."""
    found = claim(house, owner)
    assert found is not None
    assert found.outgoing is not None
    return found


def hand_over(house: House, claimed: Claim) -> bool:
    with house.writing() as session:
        return deliveries.hand_over(session, claimed)


def sent(house: House, claimed: Claim) -> bool:
    with house.writing() as session:
        return deliveries.sent(session, claimed, "250 queued as 7")


def refused(house: House, claimed: Claim, *, permanent: bool, retry_after: float | None = None) -> str:
    with house.writing() as session:
        error = DeliveryError("550 no such user", permanent=permanent, retry_after=retry_after)
        return deliveries.refused(session, claimed, error)
