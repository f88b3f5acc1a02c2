"""The live figures as computed and cached: plain values, with times and dates as ISO texts."""

from typing import TypedDict


class Stamp(TypedDict):
    """When they were computed, in UTC, and the clinic's date then."""

    as_of: str
    day: str


class Today(TypedDict):
    """Today's appointments."""

    appointments_today: int
    booked_today: int
    arrived_today: int
    completed_today: int
    cancelled_today: int
    no_show_today: int
    not_coming_today: int


class ThirtyDays(TypedDict):
    """The last 30 days and the 30 before. Rates are percentages; None if there are no appointments."""

    visits_30_days: int
    visits_30_before: int
    no_show_rate: float | None
    no_show_rate_before: float | None
    late_cancel_rate: float | None
    late_cancel_rate_before: float | None
    new_patients_30_days: int
    returning_patients_30_days: int


class Reminders(TypedDict):
    """The results of today's reminders; None if there are none yet."""

    reminders_sent: int | None
    reminders_failed: int | None
    reminders_skipped: int | None
    reminders_stayed_here: int | None
    """Only printed to the console, because e-mail was off or the clinic is a demo."""


class Load(TypedDict):
    """The utilization of a day or a doctor."""

    booked: int
    booked_minutes: int
    open_minutes: int


class DayLoad(Load):
    date: str


class DoctorLoad(Load):
    doctor_id: int
    name: str


class DeskFigures(Stamp, Today, Reminders):
    """The front desk's figures."""

    to_complete: int
    today_by_doctor: list[DoctorLoad]


class DoctorFigures(Stamp, Today, ThirtyDays):
    """A doctor's own figures."""

    to_complete: int
    next_days: list[DayLoad]
    busy_hours: list[list[int]]
    """Appointments in the last 30 days by weekday and hour."""


class ClinicFigures(DoctorFigures, Reminders):
    """The clinic's figures."""

    next_by_doctor: list[DoctorLoad]
