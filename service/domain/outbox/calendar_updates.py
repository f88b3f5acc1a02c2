"""Send calendar entries again when an appointment's instant changes but not its local time.

This happens when a law changes the time zone rules: entries contain instants, so earlier ones would show another local
time. The update has the same UID and a higher SEQUENCE, so it replaces the earlier entry.
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
    """Queue an update for each upcoming appointment in `which` whose entry was sent, and return how many.

    Call it in the transaction that changed the instants, afterwards. Only e-mail has calendar entries. An appointment
    has one such message, which is queued again for each change.
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
    """Return the condition that an entry may have arrived, for the appointment or the first one of its series."""
    entering = [rule.name for rule in message_rules.RULES.values() if rule.calendar]
    return exists().where(
        Message.appointment_id.in_((Appointment.id, Appointment.series_id)),
        Message.rule.in_(entering),
        Message.channel != Channel.SMS,
        Message.status.in_((MessageStatus.HANDING_OVER, MessageStatus.SENT, MessageStatus.UNKNOWN)),
    )
