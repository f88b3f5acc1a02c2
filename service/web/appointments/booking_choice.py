"""The choices made so far while booking, and what the page offers next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from service import clock
from service.domain.appointments import appointments, booking, candidates, free_times, visit_types
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.requests import BookingRequest
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.patients import patients
from service.http import cache, context
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor, Patient, VisitType
from service.web.local_times import row_id_of, written

WEEK = 7
SEARCH_DAYS = 56
"""How many days ahead to look for the first day with free slots."""
ANY = "any"


@dataclass(frozen=True)
class Offered:
    """A free slot on a page: its value in the form, its start, and its doctor."""

    value: str
    starts_at: datetime
    doctor_id: int
    doctor_name: str


@dataclass(frozen=True)
class Day:
    """A day of the week shown, with its number of free slots, or None if they weren't counted."""

    day: date
    count: int | None
    chosen: bool


@dataclass(frozen=True)
class Choice:
    """The choices made so far: patient, doctor, and appointment type."""

    doctors: Sequence[Doctor]
    types: Sequence[VisitType]
    mine: Sequence[Patient]
    """The patients the user manages; empty for staff."""
    patient: Patient | None
    doctor_id: str
    """An id, `any`, or empty if not chosen yet."""
    department: str
    visit_type: VisitType | None
    minutes: int | None
    """The length of the appointment; None: that of the doctor's slots."""

    @cached_property
    def candidates(self) -> Sequence[int]:
        """The doctors whose slots are offered; empty until one, or any, is chosen."""
        if not self.doctor_id:
            return []
        return candidates.ids(
            context.reading(), None if self.doctor_id == ANY else int(self.doctor_id), self.department
        )

    @property
    def doctor(self) -> Doctor | None:
        """The chosen doctor, or None."""
        return next((one for one in self.doctors if str(one.id) == self.doctor_id), None)

    def steps(self) -> dict[str, Any]:
        """Return the choice as URL parameters."""
        return {
            "patient_id": self.patient.id if self.patient and len(self.mine) != 1 else None,
            "doctor_id": self.doctor_id or None,
            "department": self.department or None,
            "visit_type_id": self.visit_type.id if self.visit_type else None,
        }

    def request(self, starts_at: datetime, reason: str) -> BookingRequest:
        """Return the request to book at an instant. Raises Invalid if a choice is missing."""
        if self.patient is None:
            raise Invalid(_("Choose a patient first."), "patient_id")
        if not self.doctor_id:
            raise Invalid(_("Choose a doctor or “Any doctor”."), "doctor_id")
        return BookingRequest(
            patient_id=self.patient.id,
            starts_at=starts_at,
            doctor_id=None if self.doctor_id == ANY else int(self.doctor_id),
            department=self.department,
            visit_type_id=self.visit_type.id if self.visit_type else None,
            reason=reason,
        )


def chosen(values: Mapping[str, str]) -> Choice:
    """Return the choice in a URL or a form. Raises NotFound for unknown people and types, and for those of others."""
    actor, session = context.actor(), context.reading()
    doctors = appointments.doctors(session)
    doctor_id = values.get("doctor_id", "")
    if doctor_id not in ("", ANY) and all(str(one.id) != doctor_id for one in doctors):
        raise NotFound
    mine = patients.in_care_of(session, actor) if actor.role == Role.PATIENT else []
    patient, asked = None, values.get("patient_id", "")
    if asked:
        patient = patients.fetch(session, actor, _id(asked))
    elif len(mine) == 1:
        patient = mine[0]
    type_id = values.get("visit_type_id", "")
    kind = visit_types.fetch(session, actor, _id(type_id)) if type_id else None
    return Choice(
        doctors=doctors,
        types=visit_types.offered(session, actor),
        mine=mine,
        patient=patient,
        doctor_id=doctor_id,
        department=values.get("department", ""),
        visit_type=kind,
        minutes=kind.minutes if kind else None,
    )


def to_move(visit: Appointment, doctor_id: str) -> Choice:
    """Return the choice for rescheduling: the same length, with the current doctor or the given one."""
    doctors = appointments.doctors(context.reading())
    if doctor_id not in ("", ANY) and all(str(one.id) != doctor_id for one in doctors):
        raise NotFound
    return Choice(
        doctors=doctors,
        types=[],
        mine=[],
        patient=visit.patient,
        doctor_id=doctor_id or str(visit.doctor_id),
        department="",
        visit_type=visit.visit_type,
        minutes=booking.minutes_of(visit),
    )


def nearest(choice: Choice, at: datetime) -> list[Offered]:
    """Return the three free slots closest to a taken one, the same for everyone who asks at that moment."""
    zone = context.wiring().settings.clinic.zone
    ids = choice.candidates
    times = cache.in_a_rush(
        f"nearest:{ids}:{at.isoformat()}:{choice.minutes}",
        lambda: free_times.nearest(context.reading(), at, zone, doctor_ids=ids, minutes=choice.minutes),
    )
    return _offered(choice, times)


def offers(choice: Choice, asked: date | None) -> dict[str, Any]:
    """Return the slots of the requested day, or of the first day that has any, and the days of its week."""
    today = clock.today(context.wiring().settings.clinic.zone)
    day, times = asked, _times(choice, asked, 1) if asked else []
    for offset in range(0, SEARCH_DAYS, _step(choice)) if asked is None else ():
        times = _times(choice, today + timedelta(days=offset), _step(choice))
        if times:
            day = _day(times[0])
            times = [time for time in times if _day(time) == day]
            break
    shown = max(day or today, today)
    first = shown - timedelta(days=(shown - today).days % WEEK)
    days = [first + timedelta(days=count) for count in range(WEEK)]
    # Counting a week takes too long for many doctors; for one, the whole week is read at once.
    counts = Counter(map(_day, _times(choice, first, WEEK))) if len(choice.candidates) == 1 else None
    return {
        "day": shown,
        "times": _offered(choice, times),
        "days": [Day(one, None if counts is None else counts[one], one == shown) for one in days],
        "previous": first - timedelta(days=WEEK) if first > today else None,
        "following": first + timedelta(days=WEEK),
    }


def _step(choice: Choice) -> int:
    return WEEK if len(choice.candidates) == 1 else 1


def _times(choice: Choice, first: date, days: int) -> list[FreeTime]:
    zone, last = context.wiring().settings.clinic.zone, first + timedelta(days=days - 1)
    return free_times.of_days(
        context.reading(),
        first,
        last,
        zone,
        doctor_ids=choice.candidates,
        minutes=choice.minutes,
        for_patient=_whom(choice),
    )


def _offered(choice: Choice, times: Sequence[FreeTime]) -> list[Offered]:
    """Return the slots for a page; of several doctors, each time once."""
    names = {one.id: one.name for one in choice.doctors}
    found = {written(time.starts_at): time for time in reversed(times)}
    return [
        Offered(value, time.starts_at, time.doctor_id, names[time.doctor_id]) for value, time in sorted(found.items())
    ]


def _whom(choice: Choice) -> int | None:
    return choice.patient.id if choice.patient else None


def _day(time: FreeTime) -> date:
    return time.starts_at.astimezone(context.wiring().settings.clinic.zone).date()


def _id(text: str) -> int:
    number = row_id_of(text)
    if number is None:
        raise NotFound
    return number
