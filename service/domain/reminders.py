"""The daily reminder: each patient with a visit today is told once, whatever ran before.

The key of a reminder is (appointment, start time, rule, channel), so a run that is repeated plans nothing new.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, literal, null, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service import clock
from service.domain.errors import Invalid
from service.models import Appointment, Message, Patient, UtcDateTime
from service.translation import gettext as _

RULE = "daily_reminder"


@dataclass
class Tally:
    """How many reminders ended how; skipped ones by reason."""

    sent: int = 0
    failed: int = 0
    unknown: int = 0
    queued: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, status: str, reason: str | None = None, number: int = 1) -> None:
        """Add messages of one status; those under way count as queued."""
        if status == "skipped":
            self.skipped[reason or "cancelled"] += number
        elif status in ("sending", "handing_over"):
            self.queued += number
        else:
            setattr(self, status, getattr(self, status) + number)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and for the ledger."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "unknown": self.unknown,
            "queued": self.queued,
            "skipped": {reason: number for reason, number in sorted(self.skipped.items()) if number},
        }


def check_day(day: date, zone: ZoneInfo) -> None:
    """Raises Invalid for a day that is over, or beyond the calendar: nobody is reminded of the past."""
    try:
        clock.day_bounds(day, zone)
    except OverflowError:
        raise Invalid(_("%(day)s lies beyond the calendar.") % {"day": day.isoformat()}) from None
    if day < clock.today(zone):
        raise Invalid(_("%(day)s is over: reminders are only sent for today or later.") % {"day": day.isoformat()})


def plan(session: Session, day: date, zone: ZoneInfo, channel: str) -> Tally:
    """Write a message row for every booked visit of the day that has none yet; returns what this call wrote.

    Visits without an address, begun already, or booked on the day itself are written as skipped, with the reason.
    """
    now = clock.now()
    start, _end = clock.day_bounds(day, zone)
    why_not: Any = case(
        (Patient.email.is_(None), "no_address"),
        (Appointment.starts_at <= now, "too_late"),
        (Appointment.created_at >= start, "just_booked"),
    )
    at = literal(now, UtcDateTime())
    rows = (
        select(
            Appointment.id,
            Appointment.patient_id,
            Appointment.starts_at,
            literal(RULE),
            literal(channel),
            Patient.email,
            case((why_not.is_(None), "queued"), else_="skipped"),
            why_not,
            at,
            at,
            at,
        )
        .join(Patient, Patient.id == Appointment.patient_id)
        .where(_on(Appointment.starts_at, day, zone), Appointment.status == "booked")
    )
    columns = ["appointment_id", "patient_id", "starts_at", "rule", "channel", "recipient", "status", "skip_reason"]
    dialect_insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    planned = session.execute(
        dialect_insert(Message)
        .from_select([*columns, "due_at", "lease_until", "created_at"], rows)
        .on_conflict_do_nothing()
        .returning(Message.status, Message.skip_reason)
    )
    tally = Tally()
    for status, reason in planned:
        tally.count(status, reason)
    tally.queued += _reopen(session, day, zone)
    return tally


def preview(session: Session, day: date, zone: ZoneInfo, channel: str) -> Tally:
    """What plan() would write, with nothing written: the caller rolls the session back."""
    with session.begin_nested() as savepoint:
        tally = plan(session, day, zone, channel)
        savepoint.rollback()
    return tally


def total(session: Session, day: date, zone: ZoneInfo) -> Tally:
    """All reminders of a day so far."""
    query = select(Message.status, Message.skip_reason, func.count()).where(scope(day, zone))
    tally = Tally()
    for status, reason, number in session.execute(query.group_by(Message.status, Message.skip_reason)):
        tally.count(status, reason, number)
    return tally


def scope(day: date, zone: ZoneInfo) -> ColumnElement[bool]:
    """The reminders that are about visits of a day."""
    return and_(Message.rule == RULE, _on(Message.starts_at, day, zone))


def _on(column: Any, day: date, zone: ZoneInfo) -> ColumnElement[bool]:
    start, end = clock.day_bounds(day, zone)
    return and_(column >= start, column < end)


def _reopen(session: Session, day: date, zone: ZoneInfo) -> int:
    """Queue reminders that had no address, where the patient has one by now, or were planned by a clock ahead."""
    email = select(Patient.email).where(Patient.id == Message.patient_id).scalar_subquery()
    stands = select(Appointment.status).where(Appointment.id == Message.appointment_id).scalar_subquery() == "booked"
    missing = and_(
        scope(day, zone), Message.status == "skipped", Message.skip_reason.in_(("no_address", "too_late")), stands
    )
    reopened = session.scalars(
        update(Message)
        .where(missing, email.is_not(None), Message.starts_at > clock.now())
        .values(status="queued", skip_reason=null(), recipient=email, due_at=clock.now())
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return len(reopened.all())
