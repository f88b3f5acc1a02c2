"""Free slots of a doctor, or of any doctor of a department, as other programs ask for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service.domain.appointments import candidates, free_times, visit_types
from service.domain.appointments.free_times import FreeTime
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from service.domain.foundation.paging import cut, page_key, read_key
from service.domain.patients import patients

AT_A_TIME = 4
"""Days that are looked at together: a page may be full with the first."""


@dataclass(frozen=True)
class Asked:
    """A query for slots of a doctor, or any (None) in the department, for some days from `first` on."""

    first: date
    days: int = 1
    doctor_id: int | None = None
    department: str = ""
    visit_type_id: int | None = None
    patient_id: int | None = None


@dataclass(frozen=True)
class Page:
    """A page of slots, soonest first, and where the next page begins."""

    times: Sequence[FreeTime]
    following: str | None


def page(session: Session, actor: Actor, asked: Asked, zone: ZoneInfo, *, after: str | None = None, limit: int) -> Page:
    """Return the slots asked for; with several doctors, each instant once.

    As long as the appointment type says, and not where the patient has an appointment already. Raises NotFound for a
    doctor, type or patient that is not there, or not the actor's, and for an `after` that no page has given.
    """
    doctor_ids = candidates.ids(session, asked.doctor_id, asked.department)
    if asked.doctor_id is not None and not doctor_ids:
        raise NotFound
    minutes = visit_types.minutes(session, actor, asked.visit_type_id)
    patient = patients.fetch(session, actor, asked.patient_id) if asked.patient_id is not None else None
    found = _each_once(
        lambda begin, last: free_times.of_days(
            session,
            begin,
            last,
            zone,
            doctor_ids=doctor_ids,
            minutes=minutes,
            for_patient=patient.id if patient else None,
        ),
        *_span(asked.first, asked.days, after, zone),
        limit,
    )
    return Page(*cut(found, limit, lambda last: page_key(last.starts_at, last.doctor_id)))


def _span(first: date, days: int, after: str | None, zone: ZoneInfo) -> tuple[date, date, datetime | None]:
    """Return the days still to search (end excluded) and the last slot of the page before."""
    end = first + timedelta(days=days)
    if after is None:
        return first, end, None
    since = read_key(after)[0]
    if not 2000 <= since.year <= 2100:
        raise NotFound
    return max(first, since.astimezone(zone).date()), end, since


def _each_once(
    offered: Callable[[date, date], Sequence[FreeTime]], day: date, end: date, since: datetime | None, limit: int
) -> list[FreeTime]:
    """Yield the slots after one, each instant once, a few days at a time, until there are more than a page holds."""
    found: list[FreeTime] = []
    while day < end and len(found) <= limit:
        following = min(day + timedelta(days=AT_A_TIME), end)
        each = {time.starts_at: time for time in reversed(offered(day, following - timedelta(days=1)))}
        found += [time for at, time in sorted(each.items()) if since is None or at > since]
        day = following
    return found
