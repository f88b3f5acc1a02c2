"""Reminders: each patient with an appointment ahead is told once by each rule, whatever ran before.

The run of a day tells those with an appointment that day, and those whose appointment of the next day begins too early
for that day's own run. An appointment that has a row for its start time and rule is never planned again, by any
channel.
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
"""The job whose turns tell the spans of_day() and early()."""
DAILY = "daily_reminder"
ADVANCE = "advance_reminder"
REOPENED = (SkipReason.NO_ADDRESS, SkipReason.OPTED_OUT, SkipReason.TOO_LATE, SkipReason.CANCELLED, SkipReason.TIME_OFF)
"""Why a reminder was left out that is sent after all when the reason no longer holds."""
EARLY = timedelta(minutes=60)
"""An appointment that begins before the run's own time of day and this is told by the run of the day before."""


@dataclass(frozen=True)
class Span:
    """Appointments that one rule tells together: those that begin from `start` until before `end`."""

    rule: str
    start: datetime
    end: datetime
    booked_before: datetime
    """An appointment booked at this moment or later is not reminded of: its patient has just been told."""
    only: int | None = None
    """The one appointment that is meant, by its id; None means all of them."""

    @property
    def scope(self) -> ColumnElement[bool]:
        """The messages of this rule about these appointments."""
        meant = true() if self.only is None else Message.appointment_id == self.only
        return and_(meant, Message.rule == self.rule, Message.starts_at >= self.start, Message.starts_at < self.end)

    @property
    def visits(self) -> ColumnElement[bool]:
        """The appointments themselves."""
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
    """Until when appointments of a day are early; where its run comes in the last hour, all of them are."""
    zone, at = settings.clinic.zone, time.fromisoformat(settings.jobs.reminders_at)
    wall = datetime.combine(day, at) + EARLY
    return clock.instant(day, wall.time(), zone) if wall.date() == day else clock.day_bounds(day, zone)[1]


def ahead(day: date, settings: Settings) -> list[Span]:
    """What the advance run of `day` tells: the appointments so many hours ahead as the settings say (24, 48, 72, or 0:
    none), and those nearer that it missed.

    Early appointments of the next day are left to the daily reminder, which tells them on the same day.
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
    """How many reminders ended how; skipped ones by reason."""

    sent: int = 0
    stayed_here: int = 0
    """How many of those sent only the console has."""
    failed: int = 0
    unknown: int = 0
    queued: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def count(self, status: MessageStatus, reason: SkipReason | None = None, number: int = 1) -> None:
        """Add messages of one status; those under way count as queued."""
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
        """Add another tally, as as_dict() gives it."""
        for status, number in other.items():
            if status == MessageStatus.SKIPPED:
                self.skipped.update(number)
            else:
                self.count(MessageStatus(status), number=number)

    @property
    def told(self) -> int:
        """How many left the house."""
        return self.sent - self.stayed_here

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
    """Raises Invalid for a day that is over, or beyond the calendar: no one is reminded of the past."""
    try:
        clock.day_bounds(day, zone)
    except OverflowError:
        raise Invalid(_("%(day)s is outside the calendar.") % {"day": day.isoformat()}) from None
    if day < clock.today(zone):
        raise Invalid(
            _("%(day)s is in the past. Reminders can only be sent for today or later.") % {"day": day.isoformat()}
        )


def plan(session: Session, span: Span, ways: Collection[Channel]) -> Tally:
    """Write a message row for every booked appointment of the span that has none yet; returns what this call wrote.

    `ways` are the channels patients can be told by. Appointments whose patient cannot be reached or wants nothing,
    begun already, or booked only just now are written as skipped, with the reason.
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
    """Remind of an appointment that was not booked when the run which tells of it passed: today's; before that,
    nothing.
    """
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
    """What plan() would write, with nothing written: the caller rolls the session back."""
    with session.begin_nested() as savepoint:
        tally = plan(session, span, ways)
        savepoint.rollback()
    return tally


def total(session: Session, span: Span) -> Tally:
    """All reminders of a span so far."""
    kinds = (Message.status, Message.skip_reason, Message.stayed_here)
    tally = Tally()
    for status, reason, stayed, number in session.execute(
        select(*kinds, func.count()).where(span.scope).group_by(*kinds)
    ):
        tally.count(status, reason, number)
        tally.stayed_here += number if stayed else 0
    return tally


def _planned(rule: str) -> ColumnElement[bool]:
    """Whether the appointment of the row has a message of the rule about its present start."""
    return exists().where(
        Message.appointment_id == Appointment.id, Message.starts_at == Appointment.starts_at, Message.rule == rule
    )


def _reopen(session: Session, span: Span, ways: Collection[Channel]) -> int:
    """Queue reminders of patients who can be reached by now, of appointments that take place after all, and those left
    out by a clock that was ahead.
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
