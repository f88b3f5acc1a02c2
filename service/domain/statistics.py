"""The figures of the admin's dashboard: a few indexed queries, none of which looks back more than 90 days."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from service import clock
from service.domain import reminders
from service.models import Appointment

NOT_COMING = ("cancelled", "no_show")


def dashboard_stats(session: Session, zone: ZoneInfo) -> dict[str, Any]:
    """All figures as plain values, with `as_of` (ISO, UTC): what the five-minute cache keeps."""
    today = clock.today(zone)
    return {
        "as_of": clock.now().astimezone(UTC).isoformat(),
        "day": today.isoformat(),
        **_today(session, today, zone),
        **_thirty_days(session, today, zone),
        **_new_and_returning(session, today, zone),
        **_reminders(session, today, zone),
        "to_complete": _to_complete(session, today, zone),
        "next_days": _next_days(session, today, zone),
    }


def _today(session: Session, today: date, zone: ZoneInfo) -> dict[str, int]:
    by_status = _by_status(session, *clock.day_bounds(today, zone))
    return {
        "appointments_today": by_status.total(),
        "completed_today": by_status["completed"],
        "arrived_today": by_status["arrived"],
        "not_coming_today": sum(by_status[status] for status in NOT_COMING),
    }


def _thirty_days(session: Session, today: date, zone: ZoneInfo) -> dict[str, Any]:
    """Visits of the last 30 days (today not counted) beside the 30 before, and the share of no-shows."""
    start, middle, end = (clock.day_bounds(today - timedelta(days=days), zone)[0] for days in (60, 30, 0))
    recent, before = _by_status(session, middle, end), _by_status(session, start, middle)

    def rate(counts: Counter[str]) -> float | None:
        missed, kept = counts["no_show"], counts["completed"]
        return round(100 * missed / (missed + kept), 1) if missed + kept else None

    return {
        "visits_30_days": recent.total() - recent["cancelled"],
        "visits_30_before": before.total() - before["cancelled"],
        "no_show_rate": rate(recent),
        "no_show_rate_before": rate(before),
    }


def _by_status(session: Session, start: datetime, end: datetime) -> Counter[str]:
    """How many visits of a span of time stand how: answered from the index alone."""
    rows = session.execute(
        select(Appointment.status, func.count())
        .where(Appointment.starts_at >= start, Appointment.starts_at < end)
        .group_by(Appointment.status)
    )
    return Counter(dict(rows.all()))


def _new_and_returning(session: Session, today: date, zone: ZoneInfo) -> dict[str, int]:
    """Patients of the last 30 days: here for the first time, or before."""
    start = clock.day_bounds(today - timedelta(days=30), zone)[0]
    end = clock.day_bounds(today, zone)[0]
    came = (
        select(Appointment.patient_id)
        .distinct()
        .where(Appointment.starts_at >= start, Appointment.starts_at < end)
        .where(Appointment.status.in_(("completed", "arrived", "booked")))
        .order_by(Appointment.patient_id)  # then what is looked up below lies side by side in the index
        .subquery()
    )
    earlier = aliased(Appointment)
    returning = exists().where(
        earlier.patient_id == came.c.patient_id, earlier.starts_at < start, earlier.status == "completed"
    )
    everyone, known = session.execute(
        select(func.count(), func.sum(case((returning, 1), else_=0))).select_from(came)
    ).one()
    return {"new_patients_30_days": everyone - (known or 0), "returning_patients_30_days": known or 0}


def _reminders(session: Session, today: date, zone: ZoneInfo) -> dict[str, int | None]:
    """How this morning's reminders went; None while there are none."""
    tally = reminders.total(session, reminders.of_day(today, zone))
    nothing = not (tally.sent or tally.failed or tally.unknown or tally.skipped.total())
    return {
        "reminders_sent": None if nothing else tally.sent,
        "reminders_failed": None if nothing else tally.failed + tally.unknown,
        "reminders_skipped": None if nothing else tally.skipped.total(),
    }


def _to_complete(session: Session, today: date, zone: ZoneInfo) -> int:
    """Past visits of the last 90 days that nobody has said the outcome of."""
    start = clock.day_bounds(today - timedelta(days=90), zone)[0]
    open_visit = and_(Appointment.status.in_(("booked", "arrived")), Appointment.ends_at <= clock.now())
    query = select(func.count()).where(Appointment.starts_at >= start, Appointment.starts_at < clock.now(), open_visit)
    return session.execute(query.select_from(Appointment)).scalar_one()


def _next_days(session: Session, today: date, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Visits that stand for each of the next seven days, today first."""
    days = [today + timedelta(days=ahead) for ahead in range(7)]
    bounds = [clock.day_bounds(day, zone) for day in days]
    sums = [
        func.sum(case((and_(Appointment.starts_at >= start, Appointment.starts_at < end), 1), else_=0))
        for start, end in bounds
    ]
    row = session.execute(
        select(*sums).where(
            Appointment.starts_at >= bounds[0][0],
            Appointment.starts_at < bounds[-1][1],
            Appointment.status.not_in(NOT_COMING),
        )
    ).one()
    return [{"date": day.isoformat(), "booked": number or 0} for day, number in zip(days, row, strict=True)]
