"""Links in messages: what their holder may see and do without signing in, until the appointment is over.

A token has 256 random bits and only its hash is stored; it works as often as it is needed, because mail programs
open links before people do, and what it does can be done twice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Select, delete, or_, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import appointments
from service.domain.foundation import locks, throttle, tokens
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Gone, NotFound
from service.domain.foundation.throttle import Act
from service.language.translation import gettext as _
from service.storage.models import Appointment, LinkPurpose, Message, MessageLink, Patient

CONTACT_FOR = timedelta(days=400)
"""An old mail still lets its reader say that no more are wanted."""


def make(
    session: Session,
    message: Message,
    purpose: LinkPurpose,
    *,
    patient_id: int,
    expires_at: datetime,
    appointment_id: int | None = None,
) -> str:
    """A fresh token for a message that is being written."""
    token = tokens.new()
    session.add(
        MessageLink(
            purpose=purpose,
            token_hash=tokens.digest(token),
            message_id=message.id,
            appointment_id=appointment_id,
            patient_id=patient_id,
            created_at=clock.now(),
            expires_at=expires_at,
        )
    )
    return token


def find(session: Session, token: str, purpose: LinkPurpose) -> MessageLink:
    """What a token is for. Raises NotFound for one that was never given out, Gone for one whose time is over."""
    link = session.scalar(
        select(MessageLink).where(MessageLink.token_hash == tokens.digest(token), MessageLink.purpose == purpose)
    )
    if link is None:
        raise NotFound
    if link.expires_at <= clock.now():
        raise Gone(_("This link has expired. Call the clinic if you need anything."))
    return link


def to_act(session: Session, token: str, purpose: LinkPurpose) -> MessageLink:
    """The same for an act by the link, once the patients its message was for are locked. Raises what find() raises."""
    link = find(session, token, purpose)
    own = select(MessageLink.patient_id).where(MessageLink.id == link.id)
    locks.patients_of(session, select(Patient.id).where(or_(Patient.id.in_(own), Patient.id.in_(_covered(link)))))
    session.refresh(link)
    return link


def visits(session: Session, link: MessageLink) -> Sequence[Appointment]:
    """The appointments its message told of, as they stand now: of one that was moved, the one that took its place."""
    standing = [one for one in _chain(session, link) if one.rescheduled_at is None]
    return sorted(standing, key=lambda one: (one.starts_at, one.id))


def visit(session: Session, link: MessageLink, appointment_id: int) -> Appointment:
    """One of the link's appointments, or what it was before it was moved. Raises NotFound for any other appointment."""
    for one in _chain(session, link):
        if one.id == appointment_id:
            return one
    raise NotFound


def actor(session: Session, link: MessageLink, appointment_id: int, address: str) -> Actor:
    """Who acts by the link on one of its appointments: that appointment's patient.

    Raises NotFound for any other appointment.
    """
    return patient(visit(session, link, appointment_id).patient_id, address)


def patient(patient_id: int, address: str) -> Actor:
    """A patient who is not signed in, known by a link."""
    return Actor(Role.PATIENT, patient_ids=frozenset({patient_id}), address=address)


def told(session: Session, link: MessageLink) -> list[int]:
    """The ids of the patients its message was for: one, or a family that shares an address."""
    others = {one for one in session.scalars(_covered(link)) if one is not None}
    return sorted({link.patient_id, *others})


def _covered(link: MessageLink) -> Select[int | None]:
    """The patients of the other messages that its message stands for."""
    return select(Message.patient_id).where(Message.covered_by == link.message_id)


def written_to(session: Session, link: MessageLink) -> str | None:
    """The address its message went to; None once that is forgotten."""
    return session.get_one(Message, link.message_id).recipient


def keep_until(session: Session, token: str, at: datetime) -> None:
    """The link's appointment was moved: it works as long as the new one lies ahead."""
    link = find(session, token, LinkPurpose.VISIT)
    link.expires_at = max(link.expires_at, at)


def attempt(session: Session, token: str) -> None:
    """Count an act by a link. Raises Throttled when there were too many just now."""
    throttle.attempt(session, Act.LINK_USE, account=tokens.digest(token))


def guessed(session: Session, address: str) -> None:
    """Count a link that does not exist. Raises Throttled when someone seems to be guessing."""
    throttle.attempt(session, Act.LINK_GUESS, network=address)


def prune(session: Session) -> None:
    """Remove links that have been over for a month."""
    session.execute(delete(MessageLink).where(MessageLink.expires_at < clock.now() - timedelta(days=30)))


def _chain(session: Session, link: MessageLink) -> list[Appointment]:
    """All appointments the link is about: its own, those of the same message, and what they were moved to."""
    covered = select(Message.appointment_id).where(Message.covered_by == link.message_id)
    which = or_(Appointment.id == link.appointment_id, Appointment.id.in_(covered))
    series = select(Message.appointment_id).where(Message.id == link.message_id, Message.rule == "booking_confirmation")
    which = or_(which, Appointment.series_id.in_(series))
    newest = {one.id: one for one in session.scalars(appointments.with_people().where(which))}
    found: dict[int, Appointment] = {}
    while newest:
        found |= newest
        moved = appointments.with_people().where(Appointment.rescheduled_from_id.in_(newest))
        newest = {one.id: one for one in session.scalars(moved) if one.id not in found}
    return list(found.values())
