"""What reports hold, as it is stored: a doctor's month, and the clinic's.

Reports stay as they were made, so what earlier versions did not write yet may be missing from a doctor's. Times are
ISO texts in UTC, days ISO texts; rates are of a hundred.
"""

from enum import StrEnum
from typing import NotRequired, TypedDict, cast

from service.storage.models import AppointmentStatus, ClinicReport, Report, ReportVersion

Row = Report | ClinicReport | ReportVersion


class Outcomes(TypedDict):
    """How appointments ended, and their rates; None without any to take them of."""

    visits: int
    completed: int
    no_show: int
    cancelled: int
    late: int
    """Those of the canceled that were canceled after the cut-off."""
    to_complete: int
    no_show_rate: float | None
    late_rate: float | None


class MonthBeside(Outcomes):
    """Another month to compare with."""

    month: str


class InShort(Outcomes):
    """What fits into a line of a table."""

    patients_seen: int
    booked_minutes: int
    lead_days: float | None
    """The median of days between booking and appointment."""


class OfVisits(InShort):
    """All that is counted from the appointments alone."""

    weekdays: list[int]
    """From Monday on."""
    hours: list[int]
    """By hour of the clinic's wall clock."""


class Patients(TypedDict):
    """Those who came for the first time, and those who had been here before."""

    new: int
    returning: int


class Figures(OfVisits, Patients):
    """All figures of a month."""

    open_minutes: int


class FourOutcomes(TypedDict):
    """The outcomes as they were told before there were figures."""

    completed: int
    no_show: int
    cancelled: int
    to_complete: int


class About(TypedDict):
    """Which appointment a line is about."""

    appointment_id: int
    starts_at: str
    patient_id: int
    patient_name: str


class Lacking(StrEnum):
    """What an appointment of a month that is over still waits for."""

    OUTCOME = "outcome"
    NOTE = "note"
    """Of what was done."""


class UnfinishedLine(About):
    lacks: Lacking


class VisitLine(About):
    visit_type: NotRequired[str]
    status: AppointmentStatus
    late: NotRequired[bool]
    reason: NotRequired[str]
    """Kept from anyone who may not read clinical texts, as are `visit_type` and the treatments; see readers.py."""


class TreatmentLine(About):
    visit_type: str | None
    diagnosis: str | None
    treatment: str | None


class DoctorContent(TypedDict):
    """A doctor's month."""

    doctor_name: str
    department: str
    here_from: NotRequired[str | None]
    """The day they joined, where that was within the month; `here_until` the day they left."""
    here_until: NotRequired[str | None]
    outcomes: FourOutcomes
    patients_seen: int
    figures: NotRequired[Figures]
    compared: NotRequired[list[MonthBeside]]
    unfinished: NotRequired[list[UnfinishedLine]]
    visits: list[VisitLine]
    treatments: NotRequired[list[TreatmentLine]]


class DoctorLine(InShort):
    """A doctor in the clinic's report."""

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
    """The clinic's month."""

    figures: Figures
    compared: list[MonthBeside]
    doctors: list[DoctorLine]
    departments: list[DepartmentLine]


Content = DoctorContent | ClinicContent


def of_doctor(row: Row) -> DoctorContent:
    """What the row of a doctor's report holds, or of what it was before."""
    return cast(DoctorContent, row.content)


def of_clinic(row: Row) -> ClinicContent:
    """The same of the clinic's."""
    return cast(ClinicContent, row.content)
