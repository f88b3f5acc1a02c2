"""When the instant of an appointment moves and its local time stays, its calendar entry is sent once more.

That is what happens when a law changes the clocks: entries name instants, so one that was sent before would show
another local time. The entry keeps its UID and has a higher SEQUENCE, so it replaces the one before.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.outbox import message_rules, reach
from service.storage.models import Appointment, AppointmentStatus, Channel, Message, MessageStatus, Patient, UtcDateTime

RULE = "calendar_update"
ENDED = (MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.SKIPPED)


def queue(session: Session, which: ColumnElement[bool]) -> int:
    """Queue one update for each appointment ahead within `which` whose patient was mailed an entry; returns how many.

    Called in the transaction that moved the instants, afterwards. Patients without e-mail are left out: only
    e-mail carries an entry. An appointment has one such message, which is queued again with each move.
    """
    now = clock.now()
    channel, recipient, unreachable = reach.columns((Channel.EMAIL,))
    at = literal(now, UtcDateTime())
    columns: dict[str, Any] = {
        "appointment_id": Appointment.id,
        "patient_id": Appointment.patient_id,
        "starts_at": Appointment.starts_at,
        "rule": literal(RULE),
        "event": literal("zone.change"),
        "channel": channel,
        "recipient": recipient,
        "language": func.coalesce(Patient.language, ""),
        "due_at": at,
        "lease_until": at,
        "created_at": at,
    }

    def told(*what: Any) -> Select[Any]:
        people = select(*what).join(Patient, Patient.id == Appointment.patient_id)
        ahead = and_(Appointment.status == AppointmentStatus.BOOKED, Appointment.starts_at > now)
        return people.where(which, ahead, unreachable.is_(None), _has_entry())

    again = session.scalars(
        update(Message)
        .where(Message.rule == RULE, Message.status.in_(ENDED), Message.appointment_id.in_(told(Appointment.id)))
        .values(
            starts_at=select(Appointment.starts_at).where(Appointment.id == Message.appointment_id).scalar_subquery(),
            status=MessageStatus.QUEUED,
            skip_reason=None,
            due_at=now,
            created_at=now,
            sent_at=None,
            attempts=0,
            last_error=None,
            answer=None,
        )
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    ).all()
    has_one = exists().where(Message.appointment_id == Appointment.id, Message.rule == RULE)
    first = insert(Message).from_select(list(columns), told(*columns.values()).where(~has_one)).returning(Message.id)
    return len(again) + len(session.scalars(first).all())


def _has_entry() -> ColumnElement[bool]:
    """Whether a message with an entry may have arrived: about the appointment, or about the first one of its series."""
    entering = [rule.name for rule in message_rules.RULES.values() if rule.calendar]
    return exists().where(
        Message.appointment_id.in_((Appointment.id, Appointment.series_id)),
        Message.rule.in_(entering),
        Message.channel != Channel.SMS,
        Message.status.in_((MessageStatus.HANDING_OVER, MessageStatus.SENT, MessageStatus.UNKNOWN)),
    )
