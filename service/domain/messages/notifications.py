"""Who is told by an act, how and when: the rows it wrote in the outbox, read as pages say them, before and after it.

Pages never say this in a sentence of their own: what they show is what the rows say by now.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from sqlalchemy import ColumnElement, and_, false, or_, select, true
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.foundation import installation
from service.domain.foundation.actor import Actor, Role
from service.domain.messages import message_checks, messages
from service.domain.outbox import channels, message_rules, reach
from service.storage.models import (
    Appointment,
    Channel,
    Message,
    MessageStatus,
    Patient,
    SkipReason,
    User,
)

MOST = 20
"""So many messages of one act are told of."""


class State(StrEnum):
    """How far someone has been told, or why not."""

    NOW = "now"
    LATER = "later"
    HELD = "held"
    """It waits until someone lets it go."""
    TOLD = "told"
    UNSURE = "unsure"
    FAILED = "failed"
    EMAIL_OFF = "email_off"
    DEMO = "demo"
    """Mail of a demo clinic stays here."""
    NOT = "not"
    """For the reason beside it."""


@dataclass(frozen=True)
class Notification:
    """One message, as the page says it."""

    rule: message_rules.Rule
    state: State
    name: str
    """Whom it is for; empty: anyone who reads the page."""
    channel: Channel
    recipient: str | None
    """The address; None where there is none, or the reader may not see it."""
    at: datetime | None = None
    """When it was, or will be, sent."""
    reason: SkipReason | None = None
    phone: str | None = None
    """The number to call instead."""


def by(session: Session, actor: Actor, ids: Collection[int], settings: Settings) -> Sequence[Notification]:
    """What messages of these ids tell, in order, as far as the actor may know of them; at most 20."""
    silent = [rule.name for rule in message_rules.RULES.values() if rule.tells_of_accounts]
    these = and_(Message.id.in_(list(ids)[:MOST]), Message.rule.not_in(silent))
    return [telling for _message, telling in _tellings(session, actor, these, settings)]


def about(
    session: Session, actor: Actor, rule: str, visits: Collection[Appointment], settings: Settings
) -> Mapping[int | None, Notification]:
    """What the messages of a rule told of some appointments, by the appointment's id."""
    these = and_(Message.rule == rule, Message.appointment_id.in_([visit.id for visit in visits]))
    return {message.appointment_id: telling for message, telling in _tellings(session, actor, these, settings)}


def _tellings(
    session: Session, actor: Actor, which: ColumnElement[bool], settings: Settings
) -> Iterator[tuple[Message, Notification]]:
    rows = session.execute(
        select(Message, Patient.name, Patient.phone, User.name)
        .outerjoin(Patient, Patient.id == Message.patient_id)
        .outerjoin(User, User.id == Message.user_id)
        .where(which, _may_know(actor))
        .order_by(Message.id)
    ).all()
    for message, patient_name, phone, user_name in rows:
        name = "" if _is_own(actor, message) else patient_name or user_name or ""
        yield message, _of(session, actor, message, settings, name=name, phone=phone)


def would(
    session: Session, actor: Actor, rule: str, patient_id: int, settings: Settings, *, due_at: datetime | None = None
) -> Notification:
    """What a message of a rule to a patient will tell, should the act that causes it be done now."""
    channel, recipient, why_not = reach.of_patient(session, patient_id, channels.ways(settings))
    now = clock.now()
    message = Message(
        rule=rule,
        patient_id=patient_id,
        channel=channel,
        recipient=recipient,
        status=MessageStatus.QUEUED if why_not is None else MessageStatus.SKIPPED,
        skip_reason=why_not,
        due_at=due_at or now,
        created_at=now,
    )
    patient = session.get_one(Patient, patient_id)
    name = "" if _is_own(actor, message) else patient.name
    return _of(session, actor, message, settings, name=name, phone=patient.phone)


def would_account(session: Session, actor: Actor, rule: str, user: User, settings: Settings) -> Notification:
    """What a message of a rule to a user's own address will tell, should the act that causes it be done now."""
    now = clock.now()
    message = Message(
        rule=rule,
        user_id=user.id,
        channel=Channel.EMAIL,
        recipient=user.email,
        status=MessageStatus.QUEUED,
        due_at=now,
        created_at=now,
    )
    name = "" if _is_own(actor, message) else user.name
    return _of(session, actor, message, settings, name=name, phone=None)


def would_user(session: Session, settings: Settings) -> State:
    """Whether a message to someone's account, anyone who that is by then, leaves as things are."""
    return _stays(session, settings) or State.NOW


def _of(
    session: Session, actor: Actor, message: Message, settings: Settings, *, name: str, phone: str | None
) -> Notification:
    channel, recipient, reason = message.channel, message.recipient, message.skip_reason
    state, at = _state(session, message, settings)
    if state in (State.NOW, State.LATER, State.HELD) and message.patient_id is not None:
        # The way it leaves by is settled when it leaves: by then the channel may be off.
        first = channels.of(channel).way
        wanted = message_rules.of(message.rule).wanted
        ways = channels.ways(settings)
        channel, recipient, reason = reach.of_patient(session, message.patient_id, ways, first=first, asking=wanted)
        state = State.NOT if reason is not None else state
    if state in (State.NOW, State.LATER, State.HELD) and message_checks.stays_here(
        session, channels.of(channel).way, recipient, settings
    ):
        state = _stays(session, settings) or state
    may_see = actor.role != Role.DOCTOR
    rule = message_rules.of(message.rule)
    return Notification(
        rule, state, name, channel, recipient if may_see else None, at, reason, phone if may_see else None
    )


def _state(session: Session, message: Message, settings: Settings) -> tuple[State, datetime | None]:
    """How far a message has come, and when."""
    match message.status:
        case MessageStatus.QUEUED if message.held_at is not None:
            return State.HELD, None
        case MessageStatus.QUEUED if message.released_at is None and messages.are_held(session, settings.messages):
            return State.HELD, None
        case MessageStatus.QUEUED if message.due_at > clock.now():
            return State.LATER, message.due_at
        case MessageStatus.QUEUED | MessageStatus.SENDING | MessageStatus.HANDING_OVER:
            return State.NOW, None
        case MessageStatus.SENT if message.stayed_here:
            return State.DEMO if installation.is_demo(session) else State.EMAIL_OFF, message.sent_at
        case MessageStatus.SENT:
            return State.TOLD, message.sent_at
        case MessageStatus.UNKNOWN:
            return State.UNSURE, None
        case MessageStatus.FAILED:
            return State.FAILED, None
        case MessageStatus.SKIPPED:
            return State.NOT, None
        case _:
            assert_never(message.status)


def _stays(session: Session, settings: Settings) -> State | None:
    """Why e-mail does not leave just now; None where it does."""
    if installation.is_demo(session):
        return State.DEMO
    return None if settings.email.enabled else State.EMAIL_OFF


def _is_own(actor: Actor, message: Message) -> bool:
    """Whether it is for the person who reads of it."""
    if actor.role == Role.PATIENT and message.patient_id is not None:
        return message.patient_id in actor.patient_ids and len(actor.patient_ids) == 1
    return message.user_id is not None and message.user_id == actor.user_id


def _may_know(actor: Actor) -> ColumnElement[bool]:
    """The condition on messages that an actor may hear of: the desk of all, doctors of those about their own
    appointments.
    """
    own = Message.user_id == actor.user_id if actor.user_id is not None else false()
    match actor.role:
        case Role.ADMIN | Role.RECEPTIONIST | Role.SYSTEM:
            return true()
        case Role.DOCTOR:
            theirs = select(Appointment.id).where(Appointment.doctor_id == actor.doctor_id)
            return or_(own, Message.appointment_id.in_(theirs))
        case Role.PATIENT:
            return or_(own, Message.patient_id.in_(actor.patient_ids))
        case _:
            assert_never(actor.role)
