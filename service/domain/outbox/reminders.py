"""Reminders: each upcoming appointment is reminded of once per rule, whatever ran before.

A day's run covers the appointments of that day, and those of the next day that start too early for its own run. An
appointment that already has a row for its start and rule is never planned again, on any channel.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, not_, null, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.foundation import job_runs, locks
from service.domain.foundation.errors import Invalid
from service.domain.outbox import outbox, reach
from service.language.translation import gettext as _
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    Channel,
    Message,
    MessageStatus,
    Patient,
    RunStatus,
    SkipReason,
    UtcDateTime,
)

JOB = "send_daily_reminders"
"""The job that sends the spans of_day() and early()."""
DAILY = "daily_reminder"
ADVANCE = "advance_reminder"
REOPENED = (SkipReason.NO_ADDRESS, SkipReason.OPTED_OUT, SkipReason.TOO_LATE, SkipReason.CANCELLED, SkipReason.TIME_OFF)
"""Reasons after which a skipped reminder is still sent if they no longer apply."""
EARLY = timedelta(minutes=60)
"""Appointments that start up to this long after the run's time of day are reminded of the day before."""


@dataclass(frozen=True)
class Span:
    """Appointments that a rule covers together: those that start between `start` and `end`."""

    rule: str
    start: datetime
    end: datetime
    booked_before: datetime
    """Appointments booked at this moment or later get no reminder, because the patient has just heard the time."""
    only: int | None = None
    """The id of the only appointment; None means all of them."""

    @property
    def scope(self) -> ColumnElement[bool]:
        """Return the condition for messages of this rule about these appointments."""
        meant = true() if self.only is None else Message.appointment_id == self.only
        return and_(meant, Message.rule == self.rule, Message.starts_at >= self.start, Message.starts_at < self.end)

    @property
    def visits(self) -> ColumnElement[bool]:
        """Return the condition for these appointments."""
        meant = true() if self.only is None else Appointment.id == self.only
        return and_(meant, Appointment.starts_at >= self.start, Appointment.starts_at < self.end)


def of_day(day: date, zone: ZoneInfo) -> Span:
    """Return the appointments that a day's own run reminds of: early ones too, in case the day before missed them."""
    start, end = clock.day_bounds(day, zone)
    return Span(DAILY, start, end, booked_before=start)


def early(day: date, settings: Settings) -> Span:
    """Return the early appointments of the next day. The run of `day` reminds of them: their own would be too late."""
    zone = settings.clinic.zone
    start, next_start = clock.day_bounds(day, zone)
    return Span(DAILY, next_start, _early_until(day + timedelta(days=1), settings), booked_before=start)


def _early_until(day: date, settings: Settings) -> datetime:
    """Return until when a day's appointments are early; all of them if its run is in the last hour."""
    zone, at = settings.clinic.zone, time.fromisoformat(settings.jobs.reminders_at)
    wall = datetime.combine(day, at) + EARLY
    return clock.instant(day, wall.time(), zone) if wall.date() == day else clock.day_bounds(day, zone)[1]


def ahead(day: date, settings: Settings) -> list[Span]:
    """Return what the advance run of `day` covers: appointments 24, 48, or 72 hours ahead, as set (0: none), and
    nearer ones that were missed.

    Early appointments of the next day are left to the daily reminder, which covers them on the same day.
    """
    spans, zone, hours = [], settings.clinic.zone, settings.messages.advance_hours
    for days in range(1, hours // 24 + 1):
        visited = day + timedelta(days=days)
        start, end = clock.day_bounds(visited, zone)
        due, _due_end = clock.day_bounds(visited - timedelta(days=hours // 24), zone)
        spans.append(Span(ADVANCE, _early_until(visited, settings) if days == 1 else start, end, due))
    return spans


@dataclass
class Tally:
    """Counts of reminders by status; skipped ones by reason."""

    sent: int = 0
    stayed_here: int = 0
    """How many of the sent ones were only printed to the console."""
    failed: int = 0
    unknown: int = 0
    queued: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, status: MessageStatus, reason: SkipReason | None = None, number: int = 1) -> None:
        """Add messages with a status. Unfinished ones count as queued."""
        match status:
            case MessageStatus.SKIPPED:
                self.skipped[reason or SkipReason.CANCELLED] += number
            case MessageStatus.QUEUED | MessageStatus.SENDING | MessageStatus.HANDING_OVER:
                self.queued += number
            case MessageStatus.SENT:
                self.sent += number
            case MessageStatus.FAILED:
                self.failed += number
            case MessageStatus.UNKNOWN:
                self.unknown += number
            case _:
                assert_never(status)

    def add(self, other: Mapping[str, Any]) -> None:
        """Add another tally, as returned by as_dict()."""
        for status, number in other.items():
            if status == MessageStatus.SKIPPED:
                self.skipped.update(number)
            else:
                self.count(MessageStatus(status), number=number)

    @property
    def told(self) -> int:
        """Return how many were really sent."""
        return self.sent - self.stayed_here

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for JSON and the ledger."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "unknown": self.unknown,
            "queued": self.queued,
            "skipped": {reason: number for reason, number in sorted(self.skipped.items()) if number},
        }


def check_day(day: date, zone: ZoneInfo) -> None:
    """Raise Invalid for a day in the past, or beyond the calendar."""
    try:
        clock.day_bounds(day, zone)
    except OverflowError:
        raise Invalid(_("%(day)s is outside the calendar.") % {"day": day.isoformat()}) from None
    if day < clock.today(zone):
        raise Invalid(
            _("%(day)s is in the past. Reminders can only be sent for today or later.") % {"day": day.isoformat()}
        )


def plan(session: Session, span: Span, ways: Collection[Channel]) -> Tally:
    """Queue a reminder for every booked appointment of the span that has none yet, and return what was queued.

    `ways` are the available channels. If the patient can't be reached or has opted out, or the appointment has started
    or was just booked, the reminder is recorded as skipped, with the reason.
    """
    booked = span.visits & (Appointment.status == AppointmentStatus.BOOKED)
    locks.patients_of(session, select(Appointment.patient_id).where(booked).distinct())
    now = clock.now()
    channel, recipient, unreachable = reach.columns(ways)
    why_not: Any = case(
        (unreachable.is_not(None), unreachable),
        (Appointment.starts_at <= now, SkipReason.TOO_LATE),
        (Appointment.created_at >= span.booked_before, SkipReason.JUST_BOOKED),
    )
    at = literal(now, UtcDateTime())
    columns: dict[str, Any] = {
        "appointment_id": Appointment.id,
        "patient_id": Appointment.patient_id,
        "starts_at": Appointment.starts_at,
        "rule": literal(span.rule),
        "event": literal("schedule"),
        "channel": channel,
        "recipient": recipient,
        "language": func.coalesce(Patient.language, ""),
        "status": case((why_not.is_(None), MessageStatus.QUEUED), else_=MessageStatus.SKIPPED),
        "skip_reason": why_not,
        "due_at": at,
        "lease_until": at,
        "created_at": at,
    }
    visits = (
        select(*columns.values())
        .join(Patient, Patient.id == Appointment.patient_id)
        .where(booked, not_(_planned(span.rule)))
    )
    dialect_insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    planned = session.execute(
        dialect_insert(Message)
        .from_select(list(columns), visits)
        .on_conflict_do_nothing()
        .returning(Message.id, Message.status, Message.skip_reason)
    )
    tally = Tally()
    for row_id, status, reason in planned:
        tally.count(status, reason)
        outbox.note_written(session, [row_id])
    tally.queued += _reopen(session, span, ways)
    return tally


def plan_after_all(session: Session, visit: Appointment, settings: Settings, ways: Collection[Channel]) -> None:
    """Remind of an appointment today that wasn't booked when the run passed, such as a reinstated one."""
    zone = settings.clinic.zone
    today = clock.today(zone)
    run = job_runs.of_slot(session, JOB, today.isoformat())
    if run is None or run.status not in (RunStatus.RUNNING, RunStatus.DONE):
        return
    for span in (of_day(today, zone), early(today, settings)):
        if span.start <= visit.starts_at < span.end:
            end = visit.starts_at + timedelta(microseconds=1)
            plan(session, replace(span, start=visit.starts_at, end=end, only=visit.id), ways)


def preview(session: Session, span: Span, ways: Collection[Channel]) -> Tally:
    """Return what plan() would queue. The caller rolls back the session."""
    with session.begin_nested() as savepoint:
        tally = plan(session, span, ways)
        savepoint.rollback()
    return tally


def total(session: Session, span: Span) -> Tally:
    """Return the counts of all reminders of a span so far."""
    kinds = (Message.status, Message.skip_reason, Message.stayed_here)
    tally = Tally()
    for status, reason, stayed, number in session.execute(
        select(*kinds, func.count()).where(span.scope).group_by(*kinds)
    ):
        tally.count(status, reason, number)
        tally.stayed_here += number if stayed else 0
    return tally


def _planned(rule: str) -> ColumnElement[bool]:
    """Return the condition that an appointment has a message of the rule for its current start."""
    return exists().where(
        Message.appointment_id == Appointment.id, Message.starts_at == Appointment.starts_at, Message.rule == rule
    )


def _reopen(session: Session, span: Span, ways: Collection[Channel]) -> int:
    """Queue skipped reminders again if the patient can be reached now, the appointment was reinstated, or the clock had
    been ahead.
    """
    channel, recipient, unreachable = (
        select(part).where(Patient.id == Message.patient_id).scalar_subquery() for part in reach.columns(ways)
    )
    stands = (
        select(Appointment.status).where(Appointment.id == Message.appointment_id).scalar_subquery()
        == AppointmentStatus.BOOKED
    )
    left_out = and_(Message.status == MessageStatus.SKIPPED, Message.skip_reason.in_(REOPENED))
    now = clock.now()
    reopened = session.scalars(
        update(Message)
        .where(span.scope, left_out, Message.phoned_at.is_(None), Message.starts_at > now, stands)
        .where(unreachable.is_(None))
        .values(status=MessageStatus.QUEUED, skip_reason=null(), channel=channel, recipient=recipient, due_at=now)
        .returning(Message.id)
        .execution_options(synchronize_session=False)
    )
    return len(reopened.all())
