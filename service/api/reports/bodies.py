"""Response types for monthly reports and statistics."""

from typing import Any

from pydantic import Field

from service.api.fields import Shown, ShownAt


class Report(Shown):
    """A doctor's month."""

    id: int
    doctor_id: int
    month: str = Field(description="`YYYY-MM`")
    visits: int
    created_at: ShownAt


class ReportWithContent(Report):
    content: dict[str, Any] = Field(
        description="The figures, visits and treatments as of the run; for the admin without clinical texts."
    )


class Reports(Shown):
    """A page of reports, newest month first."""

    items: list[Report]
    next: str | None


class Load(Shown):
    """How full a day or a doctor is."""

    booked: int
    booked_minutes: int
    open_minutes: int


class DayLoad(Load):
    date: str


class DoctorLoad(Load):
    doctor_id: int
    name: str


class Statistics(Shown):
    """The figures of the user's own dashboard; those that are not on it are left out."""

    as_of: ShownAt
    day: str = Field(json_schema_extra={"format": "date"})
    appointments_today: int
    booked_today: int
    arrived_today: int
    completed_today: int
    cancelled_today: int
    no_show_today: int
    not_coming_today: int
    to_complete: int
    visits_30_days: int | None = None
    visits_30_before: int | None = None
    no_show_rate: float | None = None
    no_show_rate_before: float | None = None
    late_cancel_rate: float | None = None
    late_cancel_rate_before: float | None = None
    new_patients_30_days: int | None = None
    returning_patients_30_days: int | None = None
    reminders_sent: int | None = None
    reminders_failed: int | None = None
    reminders_skipped: int | None = None
    reminders_stayed_here: int | None = None
    next_days: list[DayLoad] | None = None
    next_by_doctor: list[DoctorLoad] | None = None
    today_by_doctor: list[DoctorLoad] | None = None
    busy_hours: list[list[int]] | None = Field(None, description="Visits of the last 30 days by weekday and hour.")
