"""Turn the lines of a file into patients, doctors, or appointments, or problems, without looking anything up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo

from service import clock
from service.config.settings import Clinic
from service.domain.appointments import booking, free_times
from service.domain.foundation import contact_details
from service.domain.foundation.errors import Invalid
from service.domain.imports import import_columns, import_values
from service.domain.imports.import_columns import ImportKind
from service.domain.imports.import_tables import Table
from service.domain.patients.details import PatientDetails
from service.language.formats import Formats
from service.language.translation import gettext as _

T = TypeVar("T")
USUAL_MINUTES, MOST_MINUTES = 15, 12 * 60
FURTHEST = timedelta(days=5 * 366)


@dataclass(frozen=True)
class Problem:
    """Why a line can't be imported."""

    line: int
    column: str
    sentence: str
    is_doubt: bool = False
    """Whether it may be about another line's person or an existing record, which only a person can decide."""


@dataclass(frozen=True)
class PatientRow:
    line: int
    details: PatientDetails


@dataclass(frozen=True)
class DoctorRow:
    line: int
    name: str
    department: str


@dataclass(frozen=True)
class VisitRow:
    """An appointment, with times in UTC. Its doctor and patient get ids when they're looked up."""

    line: int
    starts_at: datetime
    ends_at: datetime
    doctor: str
    patient: str
    birth_date: date | None
    reason: str
    doctor_id: int = 0
    patient_id: int = 0


Row = PatientRow | DoctorRow | VisitRow


@dataclass(frozen=True)
class Way:
    """How to read a file: its kind, its columns, and the clinic's settings."""

    kind: ImportKind
    columns: Mapping[str, int]
    day_first: bool | None
    """Whether the day comes first in a date such as 03/04/1985; None: decided by the file or the clinic's country."""
    clinic: Clinic

    @property
    def formats(self) -> Formats:
        """How the clinic writes dates and times."""
        return Formats(self.clinic)


@dataclass(frozen=True)
class Reading:
    """The rows of a file, and all problems."""

    rows: Sequence[Row]
    problems: Sequence[Problem]
    has_either: bool
    """Whether there are ambiguous dates such as 03/04/1985."""
    day_first: bool | None
    """Which comes first in them, as they were read; None: no one can tell."""
    is_assumed: bool
    """Whether this is only what the clinic's country does, not what the file shows or a person chose."""
    zone: ZoneInfo
    """The time zone of times in the file."""


def read(table: Table, way: Way) -> Reading:
    """Read every line of the table. Problems don't stop it, so that all of them are found."""
    habit = import_values.habit(_dates(table, way), way.formats.order.day_first)
    is_assumed = way.day_first is None and habit.is_assumed
    if way.day_first is None:
        way = replace(way, day_first=habit.day_first)
    problems = [Problem(1, label, sentence) for label, sentence in import_columns.missing(way.kind, way.columns)]
    if problems:
        return Reading([], problems, habit.has_either, way.day_first, is_assumed, way.clinic.zone)
    if habit.has_either and way.day_first is None:
        problems.append(
            Problem(1, _("Dates"), _("Dates such as 03/04/1985 can be read in two ways. Choose one above."))
        )
    rows: list[Row] = []
    for number, cells in table.lines:
        line = Line(number, cells, way)
        if any(cells[len(table.header) :]):
            line.refuse(_("Columns"), _("This line has more columns than the header."))
        row = MAKERS[way.kind](line)
        problems += line.problems
        if row is not None and not line.problems and not line.is_undecided:
            rows.append(row)
    return Reading(rows, problems, habit.has_either, way.day_first, is_assumed, way.clinic.zone)


def _dates(table: Table, way: Way) -> Iterator[str]:
    """Yield all cells with dates."""
    for index in (way.columns[name] for name in ("birth_date", "date") if name in way.columns):
        for _number, cells in table.lines:
            if index < len(cells):
                yield import_values.split_moment(import_values.plain(cells[index]))[0]


class Line:
    """A line: its values by our columns, and their problems."""

    def __init__(self, number: int, cells: Sequence[str], way: Way) -> None:
        self.number = number
        self.way = way
        self.problems: list[Problem] = []
        self.is_undecided = False
        """Whether it has an ambiguous date, which is reported once for all lines."""
        self._values = {
            name: import_values.plain(cells[index]) for name, index in way.columns.items() if index < len(cells)
        }

    def text(self, *names: str) -> str:
        """Return the first value that isn't empty."""
        return next((self._values[name] for name in names if self._values.get(name)), "")

    def checked(self, name: str, check: Callable[[str], T], text: str | None = None) -> T | None:
        """Check and return a value (by default the column's). If it's refused, add a problem and return None."""
        try:
            return check(self.text(name) if text is None else text)
        except Invalid as error:
            self.refuse(import_columns.label(self.way.kind, name), str(error))
        return None

    def refuse(self, column: str, sentence: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.number, column, sentence))

    def name(self) -> str:
        """Return a person's name, from one column or several."""
        whole = self.text("name") or " ".join(filter(None, (self.text("first_name"), self.text("last_name"))))
        column = next(name for name in ("name", "last_name", "first_name") if name in self.way.columns)
        if not whole:
            self.refuse(import_columns.label(self.way.kind, column), _("The name is missing."))
            return ""
        return self.checked(column, contact_details.checked_name, f"{self.text('title')} {whole}") or ""

    def given_name(self) -> str | None:
        """Return the first name's column, unless it's a title. A full name is never split."""
        try:
            return contact_details.checked_given_name(self.text("first_name"))
        except Invalid:
            return None  # name() has refused it already

    def day(self, name: str, text: str) -> date | None:
        """Return a date; None if it's empty, refused, or ambiguous."""
        if self.way.day_first is None and import_values.hangs_on_order(text):
            self.is_undecided = True
            return None
        read = partial(import_values.read_date, day_first=self.way.day_first, formats=self.way.formats)
        return self.checked(name, read, text)

    def birth_date(self) -> date | None:
        """Return a birth date; None if there is none."""
        text = self.text("birth_date")
        born = self.day("birth_date", text) if text else None
        return self.checked("birth_date", lambda _text: contact_details.checked_birth_date(born, self.way.clinic.zone))


def _patient(line: Line) -> PatientRow:
    name, birth_date = line.name(), line.birth_date()
    number = "mobile" if line.text("mobile") else "phone"
    phone = line.checked(number, partial(contact_details.checked_phone, country=line.way.clinic.country))
    email = line.checked("email", contact_details.checked_email) if line.text("email") else None
    return PatientRow(line.number, PatientDetails(name, birth_date, phone, email, line.given_name()))


def _doctor(line: Line) -> DoctorRow:
    return DoctorRow(line.number, line.name(), line.checked("department", contact_details.checked_department) or "")


def _visit(line: Line) -> VisitRow | None:
    starts_at, minutes = _starts_at(line), line.checked("minutes", _minutes)
    patient, birth_date = line.name(), line.birth_date()
    doctor = line.checked("doctor", contact_details.checked_name) or ""
    reason = line.checked("reason", booking.checked_reason) or ""
    if starts_at is None or minutes is None:
        return None
    ends_at = starts_at + timedelta(minutes=minutes)
    return VisitRow(line.number, starts_at, ends_at, doctor, patient, birth_date, reason)


def _starts_at(line: Line) -> datetime | None:
    """Return the start of an appointment, from a date and a time in the clinic's zone."""
    day_text, time_text = import_values.split_moment(line.text("date"))
    day = line.day("date", day_text)
    time_column = "time" if "time" in line.way.columns else "date"
    read_time = partial(import_values.read_time, formats=line.way.formats)
    at = line.checked(time_column, read_time, line.text("time") or time_text)
    if day is None or at is None:
        return None
    starts_at = free_times.local_instant(day, at, line.way.clinic.zone)
    if starts_at is None:
        line.refuse(_("Time"), _("The clocks go forward at this hour, so this time doesn't exist."))
    elif starts_at <= clock.now():
        line.refuse(_("Date"), _("This appointment is in the past. Only upcoming appointments can be imported."))
    elif starts_at > clock.now() + FURTHEST:
        line.refuse(_("Date"), _("This appointment is more than five years away."))
    return starts_at


def _minutes(text: str) -> int:
    """Return the length of an appointment; the default if it's empty."""
    if not text:
        return USUAL_MINUTES
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST_MINUTES):
        raise Invalid(_("Enter the length of the appointment in minutes, from 1 to %(most)s.") % {"most": MOST_MINUTES})
    return int(text)


MAKERS: dict[ImportKind, Callable[[Line], Row | None]] = {
    ImportKind.PATIENTS: _patient,
    ImportKind.DOCTORS: _doctor,
    ImportKind.VISITS: _visit,
}
