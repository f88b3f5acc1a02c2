"""The links of a message: each made for it alone, under the clinic's public address, never a request's."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.accounts import users
from service.domain.messages import message_links
from service.domain.messages.letter_facts import TOKENS
from service.storage.models import Appointment, LinkPurpose, Message, Offer

NAMES = ("manage_link", "contact_link")
PATHS = {"invite": "invite", "password_reset": "password-reset", "sign_in_link": "sign-in"}
"""Rule -> the page of its token."""


def make(session: Session, message: Message, visits: Sequence[Appointment], clinic: Clinic) -> dict[str, str]:
    """Where `{manage_link}` leads, and for a patient `{contact_link}`: which messages they get."""
    links = {"manage_link": f"{clinic.public_url}/{_path(session, message, visits)}"}
    if message.patient_id is not None:
        token = message_links.make(
            session,
            message,
            LinkPurpose.CONTACT,
            patient_id=message.patient_id,
            expires_at=clock.now() + message_links.CONTACT_FOR,
        )
        links["contact_link"] = f"{clinic.public_url}/contact/{token}"
    return links


def _path(session: Session, message: Message, visits: Sequence[Appointment]) -> str:
    if visits:
        last = max(visit.ends_at for visit in visits)
        return f"visit/{_token(session, message, visits[0].patient_id, LinkPurpose.VISIT, last, visits[0].id)}"
    kind, _, key = (message.about or "").partition("/")
    if kind == "offer" and message.patient_id is not None:
        offer = session.get_one(Offer, int(key))
        return f"offer/{_token(session, message, message.patient_id, LinkPurpose.OFFER, offer.starts_at, None)}"
    if message.rule in TOKENS and message.user_id is not None:
        return f"{PATHS[message.rule]}/{users.issue(session, message.user_id, TOKENS[message.rule])}"
    pages = {"export": f"exports/{key}", "report": f"reports/{key}", "morning_sheet": f"messages/morning?date={key}"}
    return pages.get(kind, "")


def _token(
    session: Session,
    message: Message,
    patient_id: int,
    purpose: LinkPurpose,
    until: datetime,
    appointment_id: int | None,
) -> str:
    return message_links.make(
        session, message, purpose, patient_id=patient_id, expires_at=until, appointment_id=appointment_id
    )
