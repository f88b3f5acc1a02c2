"""The history of an appointment: each change with its user, and each message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.outbox import message_rules
from service.storage.models import (
    Appointment,
    AuditDetail,
    AuditEntry,
    CancelledBy,
    Message,
    MessageStatus,
    SkipReason,
    User,
)


class What(StrEnum):
    """The kinds of events."""

    BOOK = "book"
    OVERBOOK = "overbook"
    CONFIRM = "confirm"
    ARRIVE = "arrive"
    COMPLETE = "complete"
    NO_SHOW = "no_show"
    CANCEL = "cancel"
    UNDO = "undo"
    MOVE = "move"
    PROPOSE = "propose"
    RECORD = "record"
    """Of the treatment."""
    CORRECT = "correct"
    """Of the treatment."""
    MESSAGE = "message"


OF_TREATMENT = (What.RECORD, What.CORRECT)
AUDITED: Mapping[str, What] = {
    f"{'treatment' if what in OF_TREATMENT else 'appointment'}.{what}": what
    for what in What
    if what is not What.MESSAGE
}
"""The audit act of each event that is in the audit log."""


@dataclass(frozen=True)
class Event:
    """One event; `who` and `role` are empty if unknown. `at` is in UTC."""

    at: datetime
    act: What
    who: str = ""
    role: str = ""
    title: str = ""
    """Of a message: its kind."""
    message_status: MessageStatus | None = None
    skip_reason: SkipReason | None = None
    stayed_here: bool = False
    """Of a message: whether it was only printed to the console."""
    moved_to: int | None = None
    cancelled_by: CancelledBy | None = None
    """Of a cancellation: who asked for it, who may not be the user who entered it."""


def of_visit(session: Session, visit: Appointment) -> list[Event]:
    """Return the events of an appointment, oldest first, from the audit log and the outbox; checks no permissions."""
    events = [*_recorded(session, visit), *_told(session, visit)]
    known = {event.act for event in events}
    # An imported appointment has no audit entries; its own columns say when things happened.
    for act, at in (
        (What.BOOK, visit.created_at),
        (What.CONFIRM, visit.confirmed_at),
        (What.ARRIVE, visit.arrived_at),
        (What.CANCEL, visit.cancelled_at if visit.rescheduled_at is None else None),
    ):
        if at is not None and act not in known and not (act is What.BOOK and What.OVERBOOK in known):
            events.append(Event(at, act, cancelled_by=visit.cancelled_by if act is What.CANCEL else None))
    return sorted(events, key=lambda event: event.at)


def _recorded(session: Session, visit: Appointment) -> Iterator[Event]:
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.act, AuditEntry.role, User.name, AuditDetail.changes)
        .outerjoin(AuditDetail, AuditDetail.entry_id == AuditEntry.id)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.subject == f"appointment/{visit.id}")
        .order_by(AuditEntry.id)
        .limit(200)
    )
    successor = session.scalar(select(Appointment.id).where(Appointment.rescheduled_from_id == visit.id))
    for at, act, role, name, changes in rows:
        what = AUDITED.get(act)
        if what is not None:
            moved_to = successor if what is What.MOVE else None
            by = _said(changes, visit) if what is What.CANCEL else None
            yield Event(at, what, name or "", role, moved_to=moved_to, cancelled_by=by)


def _said(changes: Mapping[str, Any] | None, visit: Appointment) -> CancelledBy | None:
    """Return who asked for a cancellation, from its audit entry: it may have been undone and repeated since."""
    _before, by = (changes or {}).get("cancelled_by", (None, visit.cancelled_by))
    return CancelledBy(by) if by else None


def _told(session: Session, visit: Appointment) -> Iterator[Event]:
    rows = session.scalars(
        select(Message).where(Message.appointment_id == visit.id).order_by(Message.id).limit(50)
    ).all()
    for row in rows:
        yield Event(
            row.sent_at or row.created_at,
            What.MESSAGE,
            title=message_rules.of(row.rule).title,
            message_status=row.status,
            skip_reason=row.skip_reason,
            stayed_here=row.stayed_here,
        )
