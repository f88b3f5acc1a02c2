"""The contents of reports, as stored.

Reports stay as they were made, so fields that earlier versions didn't have may be missing from a doctor's. Times are
ISO texts in UTC, dates are ISO texts, and rates are percentages.
"""

from enum import StrEnum
from typing import NotRequired, TypedDict, cast

from service.storage.models import AppointmentStatus, ClinicReport, Report, ReportVersion

Row = Report | ClinicReport | ReportVersion


class Outcomes(TypedDict):
    """Outcomes of appointments, and their rates; None if there are none to compute them from."""

    visits: int
    completed: int
    no_show: int
    cancelled: int
    late: int
    """Canceled after the cutoff."""
    to_complete: int
    no_show_rate: float | None
    late_rate: float | None


class MonthBeside(Outcomes):
    """Another month, for comparison."""

    month: str


class InShort(Outcomes):
    """The figures in a row of a table."""

    patients_seen: int
    booked_minutes: int
    lead_days: float | None
    """The median number of days between booking and appointment."""


class OfVisits(InShort):
    """Everything that is counted from appointments."""

    weekdays: list[int]
    """Starting with Monday."""
    hours: list[int]
    """By hour in the clinic's time zone."""


class Patients(TypedDict):
    """New and returning patients."""

    new: int
    returning: int


class Figures(OfVisits, Patients):
    """All figures of a month."""

    open_minutes: int


class FourOutcomes(TypedDict):
    """The outcomes as stored before there were figures."""

    completed: int
    no_show: int
    cancelled: int
    to_complete: int


class About(TypedDict):
    """The appointment of a line."""

    appointment_id: int
    starts_at: str
    patient_id: int
    patient_name: str


class Lacking(StrEnum):
    """What is missing from an appointment of a past month."""

    OUTCOME = "outcome"
    NOTE = "note"
    """The treatment."""


class UnfinishedLine(About):
    lacks: Lacking


class VisitLine(About):
    visit_type: NotRequired[str]
    status: AppointmentStatus
    late: NotRequired[bool]
    reason: NotRequired[str]
    """Hidden from readers without access to clinical texts, like `visit_type` and the treatments; see readers.py."""


class TreatmentLine(About):
    visit_type: str | None
    diagnosis: str | None
    treatment: str | None


class DoctorContent(TypedDict):
    """A doctor's report."""

    doctor_name: str
    department: str
    here_from: NotRequired[str | None]
    """The day they joined, if it was in that month; `here_until` is the day they left."""
    here_until: NotRequired[str | None]
    outcomes: FourOutcomes
    patients_seen: int
    figures: NotRequired[Figures]
    compared: NotRequired[list[MonthBeside]]
    unfinished: NotRequired[list[UnfinishedLine]]
    visits: list[VisitLine]
    treatments: NotRequired[list[TreatmentLine]]


class DoctorLine(InShort):
    """A doctor's row in the clinic's report."""

    doctor_id: int
    name: str
    department: str
    open_minutes: int
    unfinished: int
    new: int


class DepartmentLine(InShort):
    name: str
    doctors: int
    open_minutes: int


class ClinicContent(TypedDict):
    """The clinic's report."""

    figures: Figures
    compared: list[MonthBeside]
    doctors: list[DoctorLine]
    departments: list[DepartmentLine]


Content = DoctorContent | ClinicContent


def of_doctor(row: Row) -> DoctorContent:
    """Return the content of a doctor's report or of an earlier version."""
    return cast(DoctorContent, row.content)


def of_clinic(row: Row) -> ClinicContent:
    """Return the content of a clinic's report or of an earlier version."""
    return cast(ClinicContent, row.content)
