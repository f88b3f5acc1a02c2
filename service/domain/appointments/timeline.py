"""What happened to a visit, in order: booked, moved, told, arrived, how it ended, and who said so."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.outbox import message_rules
from service.storage.models import Appointment, AuditEntry, CancelledBy, Message, User

ACTS = ("book", "overbook", "confirm", "arrive", "complete", "no_show", "cancel", "undo", "move", "propose")


@dataclass(frozen=True)
class Event:
    """One thing that happened; `who` and `role` are empty where nobody is known."""

    at: datetime
    act: str
    """One of ACTS, `record`, `correct`, `message`."""
    who: str = ""
    role: str = ""
    title: str = ""
    """Of a message: what kind it is."""
    message_status: str = ""
    skip_reason: str = ""
    channel: str = ""
    moved_to: int | None = None


def of_visit(session: Session, visit: Appointment) -> list[Event]:
    """The events of a visit the actor has fetched already, oldest first; from the record and the outbox."""
    events = [*_recorded(session, visit), *_told(session, visit)]
    known = {event.act for event in events}
    # A visit that was taken over from elsewhere has no record of its own: its row says when.
    for act, at in (
        ("book", visit.created_at),
        ("confirm", visit.confirmed_at),
        ("arrive", visit.arrived_at),
        ("cancel", visit.cancelled_at if visit.rescheduled_at is None else None),
    ):
        if at is not None and act not in known and not (act == "book" and "overbook" in known):
            events.append(
                Event(at, act, role="patient" if act == "cancel" and visit.cancelled_by == CancelledBy.PATIENT else "")
            )
    return sorted(events, key=lambda event: event.at)


def _recorded(session: Session, visit: Appointment) -> Iterator[Event]:
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.act, AuditEntry.role, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.subject == f"appointment/{visit.id}")
        .order_by(AuditEntry.id)
        .limit(200)
    )
    successor = session.scalar(select(Appointment.id).where(Appointment.rescheduled_from_id == visit.id))
    for at, act, role, name in rows:
        noun, _, verb = act.partition(".")
        if (noun == "appointment" and verb in ACTS) or (noun == "treatment" and verb in ("record", "correct")):
            yield Event(at, verb, name or "", role, moved_to=successor if verb == "move" else None)


def _told(session: Session, visit: Appointment) -> Iterator[Event]:
    rows = session.scalars(
        select(Message).where(Message.appointment_id == visit.id).order_by(Message.id).limit(50)
    ).all()
    for row in rows:
        yield Event(
            row.sent_at or row.created_at,
            "message",
            title=message_rules.of(row.rule).title,
            message_status=row.status,
            skip_reason=row.skip_reason or "",
            channel=row.channel,
        )
