"""The live figures as they are counted and kept for a while: plain values, times and days as ISO texts."""

from typing import TypedDict


class Stamp(TypedDict):
    """As of when, in UTC, and which day that is at the clinic."""

    as_of: str
    day: str


class Today(TypedDict):
    """The appointments of the day."""

    appointments_today: int
    booked_today: int
    arrived_today: int
    completed_today: int
    cancelled_today: int
    no_show_today: int
    not_coming_today: int


class ThirtyDays(TypedDict):
    """The last 30 days beside the 30 before; rates of a hundred, None without any appointment to take them of."""

    visits_30_days: int
    visits_30_before: int
    no_show_rate: float | None
    no_show_rate_before: float | None
    late_cancel_rate: float | None
    late_cancel_rate_before: float | None
    new_patients_30_days: int
    returning_patients_30_days: int


class Reminders(TypedDict):
    """How this morning's went; None while there are none."""

    reminders_sent: int | None
    reminders_failed: int | None
    reminders_skipped: int | None
    reminders_stayed_here: int | None
    """Only written to the console: e-mail was off, or the clinic is a demo."""


class Load(TypedDict):
    """How full a day or a doctor is."""

    booked: int
    booked_minutes: int
    open_minutes: int


class DayLoad(Load):
    date: str


class DoctorLoad(Load):
    doctor_id: int
    name: str


class DeskFigures(Stamp, Today, Reminders):
    """Those of the day."""

    to_complete: int
    today_by_doctor: list[DoctorLoad]


class DoctorFigures(Stamp, Today, ThirtyDays):
    """A doctor's own."""

    to_complete: int
    next_days: list[DayLoad]
    busy_hours: list[list[int]]
    """Appointments of the last 30 days by weekday and hour."""


class ClinicFigures(DoctorFigures, Reminders):
    """The clinic's."""

    next_by_doctor: list[DoctorLoad]
