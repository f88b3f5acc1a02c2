"""What is to be told to whom: a message's row, written in the transaction of what caused it.

Nothing is written out or sent here; that is done when the message is claimed (messages.py).
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
"""The states of a message of which no one can say yet how it ends."""
WITHDRAWABLE = frozenset({MessageStatus.QUEUED, MessageStatus.SKIPPED})
WRITTEN = "messages written"
"""Where a session keeps the ids of the messages that its transaction writes."""
ENDED = frozenset({MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN})
"""The states of a message that may have reached someone, or never will."""


def about_visit(
    session: Session,
    rule: str,
    visit: Appointment,
    *,
    event: str,
    due_at: datetime | None = None,
    again: bool = False,
) -> Message:
    """Write a message to the patient of an appointment about it; due now unless said otherwise.

    The same rule about the same appointment at the same start again is the same row, queued again if its cause had been
    taken back or it is to be told `again`.
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
    """Write a message to a patient about a row that is no appointment; due now."""
    message = _message(session, rule, patient_id, event)
    message.about = str(about)
    session.add(message)
    session.flush()
    return message


def notice(session: Session, rule: str, patient_id: int, *, event: str, also: Collection[str] = ()) -> None:
    """Tell the owner of a record who gets access to it, whatever messages they want: by mail rather than SMS.

    It goes to the record's address as it is now, and to those in `also`, whatever becomes of the address later.
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
    """Do not send a message about an appointment whose cause was taken back; False when it may have left already."""
    found = _about_visit(session, rule, visit)
    if found is None or found.status == MessageStatus.SKIPPED:
        return True
    if found.status == MessageStatus.QUEUED:
        found.status, found.skip_reason = MessageStatus.SKIPPED, SkipReason.CANCELLED
    return found.status == MessageStatus.SKIPPED


def written(session: Session) -> Sequence[int]:
    """The ids of the messages that this transaction has written or changed, in the order of that."""
    return tuple(session.info.get(WRITTEN, {}))


def note_written(session: Session, ids: Iterable[int]) -> None:
    """Count messages among those this transaction has written, where no object of theirs says so."""
    session.info.setdefault(WRITTEN, {}).update(dict.fromkeys(ids))


@database_event.listens_for(Message, "after_insert")
@database_event.listens_for(Message, "after_update")
def _note(_mapper: Any, _connection: Any, message: Message) -> None:
    session = object_session(message)
    if session is not None:
        note_written(session, [message.id])


def to_user(session: Session, rule: str, user: User, *, event: str, about: Subject | None = None) -> Message:
    """Write a message to someone who signs in, to the e-mail address of the account."""
    message = to_address(session, rule, user.email, event=event, about=about)
    message.user_id, message.language = user.id, user.language or ""
    session.flush()
    return message


def to_address(session: Session, rule: str, address: str, *, event: str, about: Subject | None = None) -> Message:
    """Write a message to an e-mail address of the clinic's own choice."""
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
    """A message to a patient that is not written yet; skipped, with the reason, where there is no way to reach them."""
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
