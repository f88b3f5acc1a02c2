"""Visits and free times."""

from typing import Literal

from pydantic import Field

from service.api.bodies.fields import (
    AskedId,
    Cursor,
    Day,
    Days,
    Department,
    Id,
    Limit,
    Line,
    Sent,
    SentAt,
    Shown,
    ShownAt,
    Status,
    Version,
)


class Appointment(Shown):
    """A visit. Names are at /doctors and /patients."""

    id: int
    doctor_id: int
    patient_id: int
    starts_at: ShownAt
    ends_at: ShownAt
    status: Status
    reason: str
    visit_type_id: int | None
    overbooked: bool
    confirmed_at: ShownAt | None
    arrived_at: ShownAt | None
    ended_at: ShownAt | None = Field(description="When somebody said how it ended.")
    cancelled_at: ShownAt | None
    cancelled_by: Literal["patient", "clinic"] | None
    cancellation_reason: str | None
    rescheduled_at: ShownAt | None = Field(description="Set where another visit stands in its place.")
    rescheduled_from_id: int | None = Field(description="The visit in whose place this one stands.")
    created_at: ShownAt
    version: int


class Appointments(Shown):
    """A page of visits, soonest first."""

    items: list[Appointment]
    next: str | None


class AppointmentQuery(Sent):
    from_: SentAt | None = Field(None, alias="from", description="Visits that begin then or later.")
    to: SentAt | None = Field(None, description="Visits that begin before.")
    doctor_id: AskedId | None = None
    patient_id: AskedId | None = None
    status: Status | None = None
    after: Cursor | None = None
    limit: Limit = 50


class NewAppointment(Sent):
    """What is to be booked."""

    doctor_id: Id | Literal["any"]
    department: Department = Field("", description="With `any`: whose doctors may be meant.")
    starts_at: SentAt
    patient_id: Id | None = Field(None, description="Needed unless the user looks after exactly one patient.")
    visit_type_id: Id | None = None
    reason: Line = ""
    overbooking_reason: Line = Field("", description="By staff: why on top of another visit.")


class Cancellation(Sent):
    reason: Line = ""
    version: Version | None = None


class Reschedule(Sent):
    """Another time, and perhaps another doctor."""

    starts_at: SentAt
    doctor_id: Id | None = None
    overbooking_reason: Line = ""
    version: Version | None = None


class Outcome(Sent):
    """Nothing needs to be said."""

    version: Version | None = None


class FreeTime(Shown):
    """A visit that could be booked."""

    starts_at: ShownAt
    ends_at: ShownAt
    doctor_id: int


class FreeTimes(Shown):
    """A page of free times, soonest first."""

    items: list[FreeTime]
    next: str | None


class FreeTimeQuery(Sent):
    date: Day | None = Field(None, description="The first day; today if not said.")
    days: Days = 1
    visit_type_id: AskedId | None = None
    patient_id: AskedId | None = Field(None, description="Whose own visits are not free times.")
    after: Cursor | None = None
    limit: Limit = 50


class AnyFreeTimeQuery(FreeTimeQuery):
    department: Department = ""
