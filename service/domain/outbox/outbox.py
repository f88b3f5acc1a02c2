"""What is to be told to whom: a message's row, written in the transaction of what caused it.

Nothing is written out or sent here; that is done when the message is claimed (messages.py).
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.outbox import reach
from service.storage.models import Appointment, Channel, Message, MessageStatus, Patient, SkipReason, User

UNDER_WAY = frozenset({MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.HANDING_OVER})
"""The states of a message of which nobody can say yet how it ends."""


def to_patient(
    session: Session,
    rule: str,
    patient_id: int,
    *,
    event: str,
    visit: Appointment | None = None,
    about: str | None = None,
    due_at: datetime | None = None,
    again: bool = False,
) -> Message:
    """Write a message to a patient, about a visit or (`about`) another row; due now unless said otherwise.

    Where there is no way to reach them the row says so: skipped, with the reason. The same rule about the same visit
    at the same start again is the same row, queued anew if its cause had been taken back or it is to be told `again`.
    """
    patient = session.get_one(Patient, patient_id)
    channel, recipient, skip_reason = reach.of_patient(session, patient_id)
    now = clock.now()
    values = {
        "channel": channel,
        "recipient": recipient,
        "status": MessageStatus.QUEUED if skip_reason is None else MessageStatus.SKIPPED,
        "skip_reason": skip_reason,
        "due_at": due_at or now,
    }
    found = None if visit is None else _about_visit(session, rule, visit)
    if found is None:
        found = Message(
            rule=rule,
            event=event,
            patient_id=patient_id,
            appointment_id=visit.id if visit else None,
            starts_at=visit.starts_at if visit else None,
            about=about,
            language=patient.language or "",
            lease_until=now,
            created_at=now,
            **values,
        )
        session.add(found)
        session.flush()
    elif found.status in (MessageStatus.QUEUED, MessageStatus.SKIPPED) or (
        again and found.status in (MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN)
    ):
        anew = {
            "created_at": now,
            "sent_at": None,
            "attempts": 0,
            "last_error": None,
            "answer": None,
            "covered_by": None,
        }
        for name, value in (values | anew).items():
            setattr(found, name, value)
    return found


def withdraw(session: Session, rule: str, visit: Appointment) -> bool:
    """Do not send a message about a visit whose cause was taken back; False when it may have left already."""
    found = _about_visit(session, rule, visit)
    if found is None or found.status == MessageStatus.SKIPPED:
        return True
    if found.status == MessageStatus.QUEUED:
        found.status, found.skip_reason = MessageStatus.SKIPPED, SkipReason.CANCELLED
    return found.status == MessageStatus.SKIPPED


def to_user(session: Session, rule: str, user: User, *, event: str, about: str | None = None) -> Message:
    """Write a message to somebody who signs in, to the e-mail address of the account."""
    message = to_address(session, rule, user.email, event=event, about=about)
    message.user_id = user.id
    session.flush()
    return message


def to_address(session: Session, rule: str, address: str, *, event: str, about: str | None = None) -> Message:
    """Write a message to an e-mail address of the clinic's own choice."""
    now = clock.now()
    message = Message(
        rule=rule,
        event=event,
        about=about,
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


def _about_visit(session: Session, rule: str, visit: Appointment) -> Message | None:
    same = (Message.appointment_id == visit.id, Message.starts_at == visit.starts_at, Message.rule == rule)
    return session.scalar(select(Message).where(*same).order_by(Message.id).limit(1))
