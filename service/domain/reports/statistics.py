"""Live figures of the clinic, a doctor, and the front desk: a few indexed queries over at most 90 days."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import outcomes
from service.domain.diary import capacity
from service.domain.diary.capacity import Load
from service.domain.outbox import reminders
from service.domain.reports import live_figures, visit_counts
from service.domain.reports.live_figures import (
    ClinicFigures,
    DayLoad,
    DeskFigures,
    DoctorFigures,
    DoctorLoad,
    Reminders,
    Stamp,
    ThirtyDays,
    Today,
)
from service.storage.models import TAKES_PLACE, Appointment, Doctor

AHEAD = 7


def dashboard_stats(session: Session, zone: ZoneInfo) -> ClinicFigures:
    """Return the clinic's figures as plain values with `as_of` (ISO, UTC), for the five-minute cache."""
    today = clock.today(zone)
    loads = _loads(session, today, AHEAD, zone)
    return {
        **_stamp(today),
        **_today(session, today, zone),
        **_thirty_days(session, today, zone),
        **_reminders(session, today, zone),
        "to_complete": _to_complete(session, zone),
        "next_days": _by_day(loads, today),
        "next_by_doctor": _by_doctor(session, loads),
        "busy_hours": _busy_hours(session, today, zone),
    }


def doctor_stats(session: Session, doctor_id: int, zone: ZoneInfo) -> DoctorFigures:
    """Return a doctor's own figures."""
    today = clock.today(zone)
    return {
        **_stamp(today),
        **_today(session, today, zone, doctor_id),
        **_thirty_days(session, today, zone, doctor_id),
        "to_complete": _to_complete(session, zone, doctor_id),
        "next_days": _by_day(_loads(session, today, AHEAD, zone, doctor_id), today),
        "busy_hours": _busy_hours(session, today, zone, doctor_id),
    }


def desk_stats(session: Session, zone: ZoneInfo) -> DeskFigures:
    """Return today's figures for the front desk."""
    today = clock.today(zone)
    return {
        **_stamp(today),
        **_today(session, today, zone),
        **_reminders(session, today, zone),
        "to_complete": _to_complete(session, zone),
        "today_by_doctor": _by_doctor(session, _loads(session, today, 1, zone)),
    }


def _stamp(today: date) -> Stamp:
    return {"as_of": clock.now().astimezone(UTC).isoformat(), "day": today.isoformat()}


def _today(session: Session, today: date, zone: ZoneInfo, doctor_id: int | None = None) -> Today:
    counts = visit_counts.outcomes(session, *clock.day_bounds(today, zone), doctor_id)
    return {
        "appointments_today": counts.total,
        "booked_today": counts.booked,
        "arrived_today": counts.arrived,
        "completed_today": counts.completed,
        "cancelled_today": counts.cancelled,
        "no_show_today": counts.no_show,
        "not_coming_today": counts.cancelled + counts.no_show,
    }


def _thirty_days(session: Session, today: date, zone: ZoneInfo, doctor_id: int | None = None) -> ThirtyDays:
    """Return the last 30 days (without today) and the 30 before."""
    start, middle, end = (_midnight(today, -days, zone) for days in (60, 30, 0))
    recent = visit_counts.outcomes(session, middle, end, doctor_id)
    before = visit_counts.outcomes(session, start, middle, doctor_id)
    new, returning = visit_counts.new_and_returning(session, middle, end, TAKES_PLACE, doctor_id)
    return {
        "visits_30_days": recent.due,
        "visits_30_before": before.due,
        "no_show_rate": recent.no_show_rate,
        "no_show_rate_before": before.no_show_rate,
        "late_cancel_rate": recent.late_rate,
        "late_cancel_rate_before": before.late_rate,
        "new_patients_30_days": new,
        "returning_patients_30_days": returning,
    }


def _reminders(session: Session, today: date, zone: ZoneInfo) -> Reminders:
    """Return the results of today's reminders; None if there are none yet."""
    tally = reminders.total(session, reminders.of_day(today, zone))
    nothing = not (tally.sent or tally.failed or tally.unknown or tally.skipped.total())
    return {
        "reminders_sent": None if nothing else tally.told,
        "reminders_failed": None if nothing else tally.failed + tally.unknown,
        "reminders_skipped": None if nothing else tally.skipped.total(),
        "reminders_stayed_here": None if nothing else tally.stayed_here,
    }


def _to_complete(session: Session, zone: ZoneInfo, doctor_id: int | None = None) -> int:
    """Return how many appointments need an outcome: as many as the page lists."""
    query = select(func.count()).select_from(Appointment).where(outcomes.needs_outcome(zone))
    if doctor_id is not None:
        query = query.where(Appointment.doctor_id == doctor_id)
    return session.execute(query).scalar_one()


def _busy_hours(session: Session, today: date, zone: ZoneInfo, doctor_id: int | None = None) -> list[list[int]]:
    """Return the appointments of the last 30 days by weekday and hour."""
    start, end = _midnight(today, -30, zone), _midnight(today, 0, zone)
    return visit_counts.by_hour(session, start, end, zone, doctor_id)


def _loads(
    session: Session, today: date, days: int, zone: ZoneInfo, doctor_id: int | None = None
) -> dict[tuple[int, date], Load]:
    """Return each doctor's booked and open minutes by day, starting today. Doctors who have left have no open ones."""
    query = select(Doctor.id, Doctor.archived_at)
    if doctor_id is not None:
        query = query.where(Doctor.id == doctor_id)
    left = {row.id: row.archived_at is not None for row in session.execute(query)}
    loads = capacity.loads(session, today, today + timedelta(days=days - 1), zone, list(left))
    for (who, _day), load in loads.items():
        load.open_minutes = 0 if left[who] else load.open_minutes
    return loads


def _by_day(loads: Mapping[tuple[int, date], Load], today: date) -> list[DayLoad]:
    """Return the next seven days, starting today."""
    days = [today + timedelta(days=ahead) for ahead in range(AHEAD)]
    return [
        {"date": day.isoformat(), **_as_dict(sum((load for (_who, on), load in loads.items() if on == day), Load()))}
        for day in days
    ]


def _by_doctor(session: Session, loads: Mapping[tuple[int, date], Load]) -> list[DoctorLoad]:
    """Return each doctor who works here or has appointments, by name."""
    rows = session.execute(select(Doctor.id, Doctor.name, Doctor.archived_at).order_by(Doctor.name, Doctor.id))
    found: list[DoctorLoad] = []
    for doctor_id, name, archived_at in rows:
        load = sum((load for (who, _day), load in loads.items() if who == doctor_id), Load())
        if archived_at is None or load.visits:
            found.append({"doctor_id": doctor_id, "name": name, **_as_dict(load)})
    return found


def _as_dict(load: Load) -> live_figures.Load:
    return {"booked": load.visits, "booked_minutes": load.booked_minutes, "open_minutes": load.open_minutes}


def _midnight(today: date, days: int, zone: ZoneInfo) -> datetime:
    """Return the start of the day that many days from today."""
    return clock.day_bounds(today + timedelta(days=days), zone)[0]
