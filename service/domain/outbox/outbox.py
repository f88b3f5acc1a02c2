"""Queue messages, in the transaction of their cause.

Their text is written when they're claimed and sent (messages.py), not here.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import event as database_event
from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from service import clock
from service.domain.outbox import message_rules, reach
from service.domain.outbox.subjects import Subject
from service.mail_addresses import address_key
from service.storage.models import Appointment, Channel, Message, MessageStatus, Patient, SkipReason, User

UNDER_WAY = frozenset({MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.HANDING_OVER})
"""The statuses of messages without a final result."""
WITHDRAWABLE = frozenset({MessageStatus.QUEUED, MessageStatus.SKIPPED})
WRITTEN = "messages written"
"""The key under which a session keeps the ids of messages written in its transaction."""
ENDED = frozenset({MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN})
"""The statuses of messages that were or couldn't be sent."""


def about_visit(
    session: Session,
    rule: str,
    visit: Appointment,
    *,
    event: str,
    due_at: datetime | None = None,
    again: bool = False,
) -> Message:
    """Queue a message to a patient about an appointment, due now unless `due_at` is given.

    For the same rule, appointment, and start, it's the same row, queued again if its cause had been undone, or with
    `again`.
    """
    wanted = _message(session, rule, visit.patient_id, event)
    wanted.due_at = due_at or wanted.due_at
    found = _about_visit(session, rule, visit)
    if found is None:
        wanted.appointment_id, wanted.starts_at = visit.id, visit.starts_at
        session.add(wanted)
        session.flush()
        return wanted
    if found.status in WITHDRAWABLE or (again and found.status in ENDED):
        for name in ("channel", "recipient", "status", "skip_reason", "due_at", "created_at"):
            setattr(found, name, getattr(wanted, name))
        found.sent_at = found.last_error = found.answer = found.covered_by = None
        found.attempts = 0
    return found


def to_patient(session: Session, rule: str, patient_id: int, *, event: str, about: Subject) -> Message:
    """Queue a message to a patient that isn't about an appointment, due now."""
    message = _message(session, rule, patient_id, event)
    message.about = str(about)
    session.add(message)
    session.flush()
    return message


def notice(session: Session, rule: str, patient_id: int, *, event: str, also: Collection[str] = ()) -> None:
    """Notify the owner of a record about access to it, whatever messages they want, by e-mail if possible.

    It goes to the record's current address and to those in `also`, even if the address is changed later.
    """
    own = _message(session, rule, patient_id, event)
    session.add(own)
    others = {address_key(address): address for address in sorted(also)}
    others.pop(address_key(own.recipient or ""), None)
    for address in others.values():
        other = to_address(session, rule, address, event=event)
        other.patient_id, other.language = patient_id, own.language
    session.flush()


def withdraw(session: Session, rule: str, visit: Appointment) -> bool:
    """Skip a queued message whose cause was undone. Returns False if it may have been sent already."""
    found = _about_visit(session, rule, visit)
    if found is None or found.status == MessageStatus.SKIPPED:
        return True
    if found.status == MessageStatus.QUEUED:
        found.status, found.skip_reason = MessageStatus.SKIPPED, SkipReason.CANCELLED
    return found.status == MessageStatus.SKIPPED


def written(session: Session) -> Sequence[int]:
    """Return the ids of messages that this transaction has written or changed, in that order."""
    return tuple(session.info.get(WRITTEN, {}))


def note_written(session: Session, ids: Iterable[int]) -> None:
    """Add messages to those written in this transaction, if they were written without objects."""
    session.info.setdefault(WRITTEN, {}).update(dict.fromkeys(ids))


@database_event.listens_for(Message, "after_insert")
@database_event.listens_for(Message, "after_update")
def _note(_mapper: Any, _connection: Any, message: Message) -> None:
    session = object_session(message)
    if session is not None:
        note_written(session, [message.id])


def to_user(session: Session, rule: str, user: User, *, event: str, about: Subject | None = None) -> Message:
    """Queue a message to a user's e-mail address."""
    message = to_address(session, rule, user.email, event=event, about=about)
    message.user_id, message.language = user.id, user.language or ""
    session.flush()
    return message


def to_address(session: Session, rule: str, address: str, *, event: str, about: Subject | None = None) -> Message:
    """Queue a message to any e-mail address."""
    now = clock.now()
    message = Message(
        rule=rule,
        event=event,
        about=str(about) if about else None,
        channel=Channel.EMAIL,
        recipient=address,
        language="",
        due_at=now,
        lease_until=now,
        created_at=now,
    )
    session.add(message)
    session.flush()
    return message


def _message(session: Session, rule: str, patient_id: int, event: str) -> Message:
    """Create a message to a patient; skipped, with the reason, if they can't be reached."""
    said = message_rules.of(rule)
    first = Channel.EMAIL if said.is_notice else None
    channel, recipient, why_not = reach.of_patient(session, patient_id, first=first, asking=said.wanted)
    now = clock.now()
    return Message(
        rule=rule,
        event=event,
        patient_id=patient_id,
        language=session.get_one(Patient, patient_id).language or "",
        channel=channel,
        recipient=recipient,
        status=MessageStatus.QUEUED if why_not is None else MessageStatus.SKIPPED,
        skip_reason=why_not,
        due_at=now,
        lease_until=now,
        created_at=now,
    )


def _about_visit(session: Session, rule: str, visit: Appointment) -> Message | None:
    same = (Message.appointment_id == visit.id, Message.starts_at == visit.starts_at, Message.rule == rule)
    return session.scalar(select(Message).where(*same).order_by(Message.id).limit(1))
