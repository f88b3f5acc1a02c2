"""The free times of a doctor, or of any of a department, as another program asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service.domain import doctors, free_times, patients, visit_types
from service.domain.actor import Actor
from service.domain.appointments import page_key, read_key
from service.domain.errors import NotFound
from service.domain.free_times import FreeTime

MOST_DAYS = 31


@dataclass(frozen=True)
class Page:
    """Some free times, soonest first, and where the next page begins."""

    times: Sequence[FreeTime]
    following: str | None


def page(
    session: Session,
    actor: Actor,
    *,
    doctor_id: int | None,
    first: date,
    days: int,
    zone: ZoneInfo,
    department: str = "",
    visit_type_id: int | None = None,
    patient_id: int | None = None,
    after: str | None = None,
    limit: int,
) -> Page:
    """The times from a clinic day on for so many days; of several doctors (None: any) each instant once.

    As long as the visit type says, and not where the patient has a visit already. Raises NotFound for a doctor, type
    or patient that is not there, or not the actor's, and for an `after` that no page has given.
    """
    if doctor_id is not None and doctors.fetch(session, doctor_id).archived_at is not None:
        raise NotFound
    several = [one.id for one in doctors.page(session, department=department, limit=doctors.MOST)]
    kind = visit_types.fetch(session, actor, visit_type_id) if visit_type_id is not None else None
    times = free_times.of_days(
        session,
        first,
        first + timedelta(days=days - 1),
        zone,
        doctor_ids=several if doctor_id is None else [doctor_id],
        minutes=kind.minutes if kind else None,
        for_patient=patients.fetch(session, actor, patient_id).id if patient_id is not None else None,
    )
    once = list({time.starts_at: time for time in reversed(times)}.values())[::-1]
    if after is not None:
        once = [time for time in once if time.starts_at > read_key(after)[0]]
    last = once[limit - 1] if len(once) > limit else None
    return Page(once[:limit], page_key(last.starts_at, last.doctor_id) if last else None)
