"""The log of messages as the desk reads it: newest first, by state, kind and person; and what waits for a person.

Texts of messages are for the desk alone: doctors read why a patient was told, not what others were told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from sqlalchemy import ColumnElement, Select, String, and_, exists, false, func, literal, or_, select, true, union
from sqlalchemy.orm import Session, aliased

from service import clock
from service.domain.foundation import audit, paging
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.domain.outbox import message_rules, outbox
from service.domain.patients import patient_search
from service.language.typed_dates import Order
from service.mail_addresses import address_key
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    Channel,
    Doctor,
    Installation,
    Message,
    MessageStatus,
    Patient,
    SkipReason,
    User,
)

PAGE = 50
DESK = frozenset({Role.ADMIN, Role.RECEPTIONIST})
MOST_COUNTED = 1000
MOST_PEOPLE = 200
MOST_WAITING = 100_000
CALLED = sorted(rule.name for rule in message_rules.RULES.values() if rule.called)
"""Rules whose patients are called where no message reaches them."""

TO_CALL = (SkipReason.NO_ADDRESS, SkipReason.TIME_OFF)
"""Why such a patient has heard nothing yet and has to."""


class Listed(StrEnum):
    """Which messages the log shows."""

    TO_DO = "to_do"
    """Those of which someone still has to do something, whatever their state."""
    QUEUED = "queued"
    """Those under way too."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    STAYED_HERE = "stayed_here"
    """Written to the console only: e-mail was off, or the clinic is a demo."""


@dataclass(frozen=True)
class Entry:
    """A message with the names it belongs to; each empty where there is none."""

    message: Message
    patient_name: str = ""
    user_name: str = ""
    doctor_name: str = ""
    phone: str | None = None
    phoned_by: str = ""

    @property
    def rule(self) -> message_rules.Rule:
        """What kind of message it is."""
        return message_rules.of(self.message.rule)


@dataclass(frozen=True)
class Page:
    """Some messages, newest first, and the id before which the next page begins."""

    entries: Sequence[Entry]
    older: int | None


def page(
    session: Session,
    actor: Actor,
    *,
    state: Listed | None = None,
    rule: str = "",
    text: str = "",
    order: Order,
    before: int | None = None,
) -> Page:
    """Messages in a state, of a rule, to people or an address that fit a text, whose dates are in an order.

    Raises NotFound for those who do not work at the desk.
    """
    check(actor)
    query = _with_names().order_by(Message.id.desc()).limit(PAGE + 1)
    if state == Listed.QUEUED:
        # The limit keeps the database from walking through all messages for the few that wait.
        query = query.where(Message.id.in_(select(Message.id).where(_in_state(state)).limit(MOST_WAITING)))
    elif state is not None:
        query = query.where(_in_state(state))
    if rule:
        query = query.where(Message.rule == rule)
    if text:
        query = query.where(_of(text, order))
    if before is not None:
        query = query.where(Message.id < before)
    entries = [Entry(*row) for row in session.execute(query)]
    return Page(*paging.cut(entries, PAGE, lambda entry: entry.message.id))


def fetch(session: Session, actor: Actor, message_id: int) -> Entry:
    """One message. Raises NotFound when it is missing or the actor does not work at the desk."""
    check(actor)
    row = session.execute(_with_names().where(Message.id == message_id)).one_or_none()
    if row is None:
        raise NotFound
    return Entry(*row)


def counts(session: Session, actor: Actor) -> dict[Listed, int]:
    """How many messages there are in each state and to do; a thousand and one stands for more than a thousand."""
    check(actor)
    found = {}
    for state in Listed:
        some = select(Message.id).where(_in_state(state)).limit(MOST_COUNTED + 1).subquery()
        found[state] = session.execute(select(func.count()).select_from(some)).scalar_one()
    return found


def to_do(session: Session, conditions: ColumnElement[bool] | None = None) -> int:
    """How many messages (that fulfil some conditions) wait for a person.

    These are messages that failed, whose delivery is unknown, or that are about an appointment of someone without an
    address or while e-mail is off.
    """
    some = (
        select(Message.id)
        .where(_to_do(), true() if conditions is None else conditions)
        .limit(MOST_COUNTED + 1)
        .subquery()
    )
    return session.execute(select(func.count()).select_from(some)).scalar_one()


def note_opened(session: Session, actor: Actor, entry: Entry) -> None:
    """Put on record that someone read what a patient was told."""
    message = entry.message
    audit.record(session, actor, "message.view", patient_id=message.patient_id, subject=f"message/{message.id}")


def covered(session: Session, message: Message) -> Sequence[Entry]:
    """The messages whose appointments this one lists too: a family's."""
    query = _with_names().where(Message.covered_by == message.id).order_by(Message.starts_at, Message.id).limit(20)
    return [Entry(*row) for row in session.execute(query)]


def to_call(session: Session, conditions: ColumnElement[bool]) -> Sequence[Entry]:
    """The messages to do among those that fulfil some conditions, soonest appointment first."""
    query = _with_names().where(conditions, _to_do()).order_by(Message.starts_at, Message.id)
    return [Entry(*row) for row in session.execute(query.limit(MOST_COUNTED))]


def entries(session: Session, conditions: ColumnElement[bool], limit: int) -> Sequence[Entry]:
    """The messages that fulfil some conditions, soonest appointment first, at most so many."""
    query = _with_names().where(conditions).order_by(Message.starts_at, Message.id).limit(limit)
    return [Entry(*row) for row in session.execute(query)]


def check(actor: Actor) -> None:
    """Raises NotFound for those who do not work at the desk: to them there are no messages."""
    if actor.role not in DESK and actor.role != Role.SYSTEM:
        raise NotFound


def _with_names() -> Select[Message, str, str, str, str | None, str]:
    doctor_name = (
        select(Doctor.name)
        .join(Appointment, Appointment.doctor_id == Doctor.id)
        .where(Appointment.id == Message.appointment_id)
        .scalar_subquery()
    )
    phoned_by = select(User.name).where(User.id == Message.phoned_by_id).scalar_subquery()
    addressee = select(User.name).where(User.id == Message.user_id).scalar_subquery()
    return select(
        Message,
        func.coalesce(Patient.name, ""),
        func.coalesce(addressee, ""),
        func.coalesce(doctor_name, ""),
        Patient.phone,
        func.coalesce(phoned_by, ""),
    ).outerjoin(Patient, Patient.id == Message.patient_id)


def _in_state(state: Listed) -> ColumnElement[bool]:
    match state:
        case Listed.TO_DO:
            return _to_do()
        case Listed.QUEUED:
            return Message.status.in_(outbox.UNDER_WAY)
        case Listed.SENT:
            return and_(Message.status == MessageStatus.SENT, Message.channel != Channel.CONSOLE)
        case Listed.STAYED_HERE:
            return and_(Message.stayed_here)
        case Listed.FAILED | Listed.UNKNOWN | Listed.SKIPPED:
            return Message.status == MessageStatus(state)
        case _:
            assert_never(state)


def _to_do() -> ColumnElement[bool]:
    """No one has called yet, and what the message says still holds; in a form that the index by status serves."""
    return and_(
        Message.phoned_at.is_(None),
        Message.status.in_((MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.SKIPPED, MessageStatus.SENT)),
        or_(Message.starts_at > clock.now(), Message.starts_at.is_(None)),
        or_(
            Message.status.in_((MessageStatus.FAILED, MessageStatus.UNKNOWN)),
            and_(Message.stayed_here, Message.starts_at > clock.now(), Message.rule.in_(CALLED), ~_is_demo()),
            and_(Message.status == MessageStatus.SKIPPED, Message.skip_reason.in_(TO_CALL), Message.rule.in_(CALLED)),
            and_(Message.skip_reason == SkipReason.DUPLICATE, _was_not_told_with_another()),
        ),
        or_(Message.appointment_id.is_(None), _holds()),
    )


def _is_demo() -> ColumnElement[bool]:
    """Whether all people here are made up: no one has to be called."""
    return exists().where(Installation.demo_at.is_not(None))


def _was_not_told_with_another() -> ColumnElement[bool]:
    """Whether the message that was to list this appointment too did not arrive, or may not have."""
    other = aliased(Message)
    return exists().where(
        other.id == Message.covered_by,
        or_(other.status.in_((MessageStatus.FAILED, MessageStatus.UNKNOWN)), and_(other.stayed_here, ~_is_demo())),
    )


def _holds() -> ColumnElement[bool]:
    """Whether the appointment is still as the message says."""
    called_off = sorted(rule.name for rule in message_rules.RULES.values() if AppointmentStatus.CANCELLED in rule.still)
    about = and_(Appointment.id == Message.appointment_id, Appointment.starts_at == Message.starts_at)
    stands = or_(Appointment.status == AppointmentStatus.BOOKED, Message.rule.in_(called_off))
    return exists().where(about, stands)


def _of(text: str, order: Order) -> ColumnElement[bool]:
    """Messages to an address, or to people found as patients are found."""
    typed = text.strip()
    if "@" in typed:
        return Message.recipient.in_(_spellings(typed)) if typed.isprintable() else false()
    people = select(Patient.id).where(*patient_search.parse(typed, order).conditions()).limit(MOST_PEOPLE)
    return Message.patient_id.in_(people)


def _spellings(address: str) -> Select[str]:
    """How an address may be written on messages: as typed here, and as patients and accounts have it."""
    key = address_key(address)
    written = [select(literal(text, String())) for text in dict.fromkeys((address, address.lower(), key))]
    theirs = [select(table.email).where(table.email_key == key) for table in (Patient, User)]
    return select(union(*written, *theirs).subquery().c[0])
