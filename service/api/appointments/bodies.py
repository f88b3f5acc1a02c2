"""Request and response types for appointments and treatments; field names are column names."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from service.api.fields import (
    NO_NUL,
    AskedId,
    Cursor,
    Day,
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
    words_of,
)
from service.storage.models import CancelledBy


class Appointment(Shown):
    """An appointment. Names are at /doctors and /patients."""

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
    ended_at: ShownAt | None = Field(description="When its outcome was recorded.")
    cancelled_at: ShownAt | None
    cancelled_by: Annotated[CancelledBy, words_of(CancelledBy)] | None
    cancellation_reason: str | None
    rescheduled_at: ShownAt | None = Field(description="Set if another appointment replaced it.")
    rescheduled_from_id: int | None = Field(description="The appointment that this one replaced.")
    created_at: ShownAt
    version: int


class Appointments(Shown):
    """A page of appointments, earliest first."""

    items: list[Appointment]
    next: str | None


class AppointmentQuery(Sent):
    from_: SentAt | None = Field(None, alias="from", description="Appointments that start then or later.")
    to: SentAt | None = Field(None, description="Appointments that start earlier.")
    doctor_id: AskedId | None = None
    patient_id: AskedId | None = None
    status: Status | None = None
    after: Cursor | None = None
    limit: Limit = 50


class NewAppointment(Sent):
    """The appointment to book."""

    doctor_id: Id | Literal["any"]
    department: Department = Field("", description="With `any`: only doctors of this department.")
    starts_at: SentAt
    patient_id: Id | None = Field(None, description="Needed unless the user looks after exactly one patient.")
    visit_type_id: Id | None = None
    reason: Line = ""
    overbooking_reason: Line = Field("", description="Staff only: why the slot is overbooked.")

    @property
    def chosen_doctor_id(self) -> int | None:
        """The id of the doctor; None: any."""
        return self.doctor_id if isinstance(self.doctor_id, int) else None


class Cancellation(Sent):
    reason: Line = ""
    by: Annotated[CancelledBy, Field(strict=False), words_of(CancelledBy)] = Field(
        CancelledBy.PATIENT, description="Staff only: who is canceling."
    )
    version: Version | None = None


class Reschedule(Sent):
    """A new time, and optionally another doctor."""

    starts_at: SentAt
    doctor_id: Id | None = None
    overbooking_reason: Line = ""
    version: Version | None = None


class Outcome(Sent):
    """All fields are optional."""

    version: Version | None = None


Long = Annotated[str, StringConstraints(max_length=20_000, pattern=NO_NUL)]


class Treatment(Shown):
    """What a doctor found and did at an appointment."""

    id: int
    appointment_id: int
    visit_type: str
    symptoms: str
    diagnosis: str
    treatment: str
    prescription: str
    notes: str
    next_visit: date | None
    created_at: ShownAt
    updated_at: ShownAt
    version: int


class Treatments(Shown):
    """A page of a patient's treatments, newest first."""

    items: list[Treatment]
    next: str | None


class TreatmentTexts(Sent):
    """The whole treatment: omitted fields become empty, and the earlier version is kept. One text is required."""

    visit_type: Annotated[str, StringConstraints(max_length=60, pattern=NO_NUL)] = ""
    symptoms: Long = ""
    diagnosis: Long = ""
    treatment: Long = ""
    prescription: Long = ""
    notes: Long = ""
    next_visit: Day | None = None
    version: Version | None = Field(None, description="The version that was read; 0 if there was none.")


class PatientOf(Sent):
    """The patient whose treatments are listed."""

    patient_id: AskedId | None = Field(None, description="Needed unless the user looks after exactly one patient.")
    after: Cursor | None = None
