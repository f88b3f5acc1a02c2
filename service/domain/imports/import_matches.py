"""Compare a file with existing data: what already exists, what is new, and what conflicts."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.appointments import holds
from service.domain.appointments.holds import LONGEST, Hold
from service.domain.foundation.errors import Invalid
from service.domain.imports.import_columns import ImportKind
from service.domain.imports.import_people import Above, Here, Named
from service.domain.imports.import_rows import DoctorRow, PatientRow, Problem, Row, VisitRow
from service.language.translation import gettext as _
from service.storage.models import TAKES_PLACE, Appointment, Doctor
from service.storage.search_keys import normalized_name, search_key


@dataclass(frozen=True)
class Plan:
    """What an import will do."""

    new: list[Row] = field(default_factory=list)
    present: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def of_patients(session: Session, rows: Sequence[PatientRow]) -> Plan:
    """Compare patients. Only certain matches count as existing; possible ones are problems."""
    here, above, plan = Here(session, {row.details.name for row in rows}), Above(), Plan()
    for row in rows:
        doubts, known, is_repeated = [], None, False
        try:
            known = here.find(row.details)
        except Invalid as error:
            doubts.append(error)
        try:
            is_repeated = above.is_repeated(row, known)
        except Invalid as error:
            doubts.append(error)
        plan.problems.extend(Problem(row.line, error.field or "", str(error), is_doubt=True) for error in doubts)
        if not doubts:
            (plan.present if is_repeated or known is not None else plan.new).append(row)
    return plan


def of_doctors(session: Session, rows: Iterable[DoctorRow]) -> Plan:
    """Compare doctors. A doctor exists if the name is the same and the department doesn't differ; a similar name is a
    problem.
    """
    known = defaultdict[str, list[tuple[str, str, int]]](list)
    for name, department in session.execute(select(Doctor.name, Doctor.department)):
        known[search_key(name)].append((spelled(name), department, 0))
    plan = Plan()
    for row in rows:
        name, alike = spelled(row.name), known[search_key(row.name)]
        if any(name == other and fits(row.department, department) for other, department, _line in alike):
            plan.present.append(row)
        elif alike:
            line = alike[0][2]
            sentence = (
                _("Line %(line)s may be the same doctor.")
                if line
                else _("Rounds already has a doctor with a similar name.")
            )
            plan.problems.append(Problem(row.line, _("Full name"), sentence % {"line": line}, is_doubt=True))
        else:
            plan.new.append(row)
        alike.append((name, row.department, row.line))
    return plan


def spelled(doctor: str) -> str:
    """Return a doctor's name for comparison: Dr. and Dr are the same title."""
    return normalized_name(doctor.replace(".", " "))


def fits(one: str, other: str) -> bool:
    """Return whether two departments can be the same doctor's: they're equal, or one is empty."""
    return not one or not other or search_key(one) == search_key(other)


def of_visits(session: Session, rows: Sequence[VisitRow]) -> Plan:
    """Compare appointments. One exists, whatever its status, if doctor, patient, and time are the same.

    A new one must not overlap another one of its doctor or patient, in the database or in the file.
    """
    plan = Plan()
    if not rows:
        return plan
    doctors, patients = _Doctors(session), Named(session, rows)
    known, diary = _booked(session, min(row.starts_at for row in rows), max(row.ends_at for row in rows))
    for found in rows:
        try:
            row = replace(found, doctor_id=doctors.find(found), patient_id=patients.find(found))
            key = (row.doctor_id, row.patient_id, row.starts_at)
            if key not in known:
                diary.enter(row)
            (plan.present if key in known else plan.new).append(row)
            known.add(key)
        except Invalid as error:
            plan.problems.append(Problem(found.line, error.field or "", str(error)))
    return plan


MATCHES: dict[ImportKind, Callable[[Session, Any], Plan]] = {
    ImportKind.PATIENTS: of_patients,
    ImportKind.DOCTORS: of_doctors,
    ImportKind.VISITS: of_visits,
}


class _Doctors:
    """The clinic's doctors by name."""

    def __init__(self, session: Session) -> None:
        self._ids = defaultdict[str, list[int]](list)
        for row_id, name in session.execute(select(Doctor.id, Doctor.name).where(Doctor.archived_at.is_(None))):
            self._ids[spelled(name)].append(row_id)

    def find(self, row: VisitRow) -> int:
        """Return the id of an appointment's doctor. Raises Invalid if there is none, or several with the name."""
        found = self._ids.get(spelled(row.doctor), [])
        if not found:
            raise Invalid(
                _("Rounds has no doctor with this name. Write the name exactly as it appears in Rounds."), _("Doctor")
            )
        if len(found) > 1:
            raise Invalid(_("There are several doctors with this name."), _("Doctor"))
        return found[0]


class _Diary:
    """When doctors and patients are booked, and by which line of the file (0: by an existing appointment)."""

    def __init__(self, holds: Sequence[Hold]) -> None:
        self._holds = holds
        self._spans = defaultdict[tuple[str, int], list[tuple[datetime, datetime, int]]](list)

    def note(self, doctor_id: int, patient_id: int, starts_at: datetime, ends_at: datetime, line: int = 0) -> None:
        """Add an appointment that doesn't overlap any other."""
        insort(self._spans["doctor", doctor_id], (starts_at, ends_at, line))
        insort(self._spans["patient", patient_id], (starts_at, ends_at, line))

    def enter(self, row: VisitRow) -> None:
        """Add an appointment of the file. Raises Invalid if it overlaps, or its slot is held for someone else."""
        for hold in self._holds:
            theirs = hold.doctor_id == row.doctor_id and hold.patient_id != row.patient_id
            if theirs and hold.starts_at < row.ends_at and hold.ends_at > row.starts_at:
                raise Invalid(_("This slot is on hold for someone on the waitlist. Try again later."), _("Doctor"))
        for whose, person, label in (("doctor", row.doctor_id, _("Doctor")), ("patient", row.patient_id, _("Patient"))):
            line = self._clash(self._spans[whose, person], row.starts_at, row.ends_at)
            if line == 0:
                raise Invalid(_("Rounds already has another appointment at that time."), label)
            if line is not None:
                raise Invalid(_("The appointment in line %(line)s is at the same time.") % {"line": line}, label)
        self.note(row.doctor_id, row.patient_id, row.starts_at, row.ends_at, row.line)

    @staticmethod
    def _clash(spans: list[tuple[datetime, datetime, int]], starts_at: datetime, ends_at: datetime) -> int | None:
        """Return the line of an overlapping appointment. Only neighbors can overlap, because the others don't."""
        after = bisect_left(spans, (starts_at,))
        if after < len(spans) and spans[after][0] < ends_at:
            return spans[after][2]
        return spans[after - 1][2] if after and spans[after - 1][1] > starts_at else None


def _booked(session: Session, first: datetime, last: datetime) -> tuple[set[tuple[int, int, datetime]], _Diary]:
    """Return the existing appointments between two instants, and when people are booked."""
    known, diary = set(), _Diary(holds.held(session, None, first, last))
    query = select(
        Appointment.doctor_id,
        Appointment.patient_id,
        Appointment.starts_at,
        Appointment.ends_at,
        Appointment.status,
        Appointment.overbooked,
    ).where(Appointment.starts_at > first - LONGEST, Appointment.starts_at <= last)
    for doctor_id, patient_id, starts_at, ends_at, status, overbooked in session.execute(
        query.order_by(Appointment.starts_at)
    ):
        known.add((doctor_id, patient_id, starts_at))
        if status in TAKES_PLACE and not overbooked:
            diary.note(doctor_id, patient_id, starts_at, ends_at)
    return known, diary
