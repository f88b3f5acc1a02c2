"""Messages as the desk handles them: pause all, hold one back, let one go, send one again; and when they are forgotten.

How one leaves the house is in deliveries.py, what is written into the outbox in outbox.py.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, event, func, or_, select, update
from sqlalchemy.orm import Session, object_session

from service import clock
from service.config.settings import Messages
from service.domain.foundation import audit, installation, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.domain.outbox import channels, message_rules
from service.language.translation import gettext as _
from service.storage.models import Installation, Message, MessageLink, MessageStatus, Patient, User

DESK = frozenset({Role.ADMIN, Role.RECEPTIONIST})
POSTED = "messages posted"
AT_ONCE = 1000
"""Rows that one transaction of purge() touches."""


def paused_at(session: Session) -> datetime | None:
    """Since when all messages wait because someone pressed *Pause*, or None."""
    return session.get_one(Installation, 1).messages_paused_at


def are_held(session: Session, settings: Messages) -> bool:
    """Whether messages wait on purpose: by the settings, by *Pause*, or because the clock may be wrong."""
    return settings.hold or paused_at(session) is not None or installation.clock_in_doubt(session) is not None


def pause(session: Session, actor: Actor) -> None:
    """Let all messages wait. Pressed again it changes nothing. Raises Forbidden."""
    _for_the_desk(actor)
    installation = session.get_one(Installation, 1)
    if installation.messages_paused_at is None:
        installation.messages_paused_at = clock.now()
        audit.record(session, actor, "messages.pause")


def resume(session: Session, actor: Actor) -> None:
    """Let messages go out again: those whose appointments are still ahead leave now. Raises Forbidden."""
    _for_the_desk(actor)
    installation = session.get_one(Installation, 1)
    if installation.messages_paused_at is not None:
        installation.messages_paused_at = None
        audit.record(session, actor, "messages.resume")
        session.info[POSTED] = True


def release(session: Session, actor: Actor, message_id: int) -> Message:
    """Let one waiting message go, although all are paused or it was held back. Raises Forbidden, NotFound, Conflict."""
    message = _waiting(session, actor, message_id)
    message.released_at, message.held_at = clock.now(), None
    message.due_at = min(message.due_at, clock.now())
    _note(session, actor, "message.release", message)
    return message


def release_all(session: Session, actor: Actor) -> int:
    """Let all that are due now go, although all are paused, but none that was held back; returns how many.

    Raises Forbidden.
    """
    _for_the_desk(actor)
    waiting = and_(Message.status == MessageStatus.QUEUED, Message.due_at <= clock.now(), Message.held_at.is_(None))
    let = update(Message).where(waiting, Message.released_at.is_(None)).values(released_at=clock.now())
    released = session.scalars(let.returning(Message.id).execution_options(synchronize_session=False)).all()
    if released:
        audit.record(session, actor, "messages.release")
        session.info[POSTED] = True
    return len(released)


def hold_back(session: Session, actor: Actor, message_id: int) -> Message:
    """Let one waiting message wait until someone lets it go. Raises Forbidden, NotFound, Conflict.

    A notice about access to a record is not the desk's to hold back.
    """
    message = _waiting(session, actor, message_id)
    if message_rules.of(message.rule).is_notice:
        raise Conflict(_("This message tells a patient who can see their record, so it can't be put on hold."))
    if message.held_at is None:
        message.held_at, message.released_at = clock.now(), None
        _note(session, actor, "message.hold_back", message)
    return message


def hold_no_longer(session: Session, actor: Actor, message_id: int) -> Message:
    """Take back hold_back(): the message goes when its time comes. Raises Forbidden, NotFound, Conflict."""
    message = _waiting(session, actor, message_id)
    if message.held_at is not None:
        message.held_at = None
        _note(session, actor, "message.hold_no_longer", message)
    return message


def send_again(session: Session, actor: Actor, message_id: int) -> Message:
    """Queue a message that failed, or of which no one knows, once more, to the address as it is now.

    Pressed twice it is sent once. Raises Forbidden, NotFound; Conflict when it is in another state, its appointment has
    begun, or there is no address.
    """
    message = _of(session, actor, message_id)
    if message.status == MessageStatus.QUEUED and message.released_at is not None:
        return message
    if message.status not in (MessageStatus.FAILED, MessageStatus.UNKNOWN):
        raise Conflict(_("Only a message that failed or whose delivery is unknown can be sent again."))
    if message.starts_at is not None and message.starts_at <= clock.now():
        raise Conflict(_("The appointment has started. Call the patient instead."))
    message.recipient = _address_now(session, message)
    if message.recipient is None:
        raise Conflict(_("There's no address to send this to."))
    message.status, message.due_at, message.released_at = MessageStatus.QUEUED, clock.now(), clock.now()
    message.held_at = None
    _note(session, actor, "message.send_again", message)
    return message


def was_posted(session: Session) -> bool:
    """Whether this transaction has queued a message, so that someone should look at the outbox soon."""
    return POSTED in session.info


def waiting_and_unsure(session: Session) -> tuple[int, int]:
    """How many messages wait to be sent, and how many of appointments still ahead may or may not have arrived."""
    ahead = func.coalesce(Message.starts_at > clock.now(), True)
    query = (
        select(Message.status, func.count())
        .where(Message.status.in_((MessageStatus.QUEUED, MessageStatus.UNKNOWN)), ahead)
        .group_by(Message.status)
    )
    counts: dict[MessageStatus, int] = dict(session.execute(query).all())
    return counts.get(MessageStatus.QUEUED, 0), counts.get(MessageStatus.UNKNOWN, 0)


def purge(session: Session, settings: Messages) -> bool:
    """Empty texts and addresses, then remove rows, once their months are over; returns whether there may be more."""
    now = clock.now()
    text_until, rows_until = (
        now - timedelta(days=30.44 * months) for months in (settings.keep_text_months, settings.keep_rows_months)
    )
    telling = or_(Message.body.is_not(None), Message.recipient.is_not(None))
    with_text = select(Message.id).where(telling, Message.created_at < text_until).limit(AT_ONCE)
    silent: dict[str, Any] = dict.fromkeys(("recipient", "subject", "body", "last_error", "answer"))
    emptied = session.scalars(
        update(Message).where(Message.id.in_(with_text)).values(silent).returning(Message.id)
    ).all()
    oldest = select(Message.id, Message.created_at).order_by(Message.id).limit(AT_ONCE)
    old = [row.id for row in session.execute(oldest) if row.created_at < rows_until]
    session.execute(delete(MessageLink).where(MessageLink.message_id.in_(old)))
    session.execute(update(Message).where(Message.covered_by.in_(old)).values(covered_by=None))
    session.execute(delete(Message).where(Message.id.in_(old)))
    return len(emptied) == AT_ONCE or len(old) == AT_ONCE


@event.listens_for(Message, "after_insert")
@event.listens_for(Message, "after_update")
def _notice(_mapper: Any, _connection: Any, message: Message) -> None:
    """Remember that this transaction queued something."""
    session = object_session(message)
    if session is not None and message.status == MessageStatus.QUEUED:
        session.info[POSTED] = True


def _for_the_desk(actor: Actor) -> None:
    if actor.role not in DESK:
        raise Forbidden(_("Only the front desk can manage messages."))


def _of(session: Session, actor: Actor, message_id: int) -> Message:
    """A message, for the person who may handle it. Raises Forbidden, NotFound."""
    _for_the_desk(actor)
    locks.with_patient(session, select(Message.patient_id).where(Message.id == message_id))
    message = session.get(Message, message_id, with_for_update=True)
    if message is None:
        raise NotFound
    return message


def _waiting(session: Session, actor: Actor, message_id: int) -> Message:
    message = _of(session, actor, message_id)
    if message.status != MessageStatus.QUEUED:
        raise Conflict(_("This message is no longer queued."))
    return message


def _address_now(session: Session, message: Message) -> str | None:
    """Return the current address, which may have been corrected since, except for notices about access."""
    if message.patient_id is not None and not message_rules.of(message.rule).is_notice:
        return channels.of(message.channel).address_of(session.get_one(Patient, message.patient_id))
    if message.user_id is not None:
        return session.get_one(User, message.user_id).email
    return message.recipient


def _note(session: Session, actor: Actor, act: str, message: Message) -> None:
    audit.record(session, actor, act, patient_id=message.patient_id, subject=f"message/{message.id}")
