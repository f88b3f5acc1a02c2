"""Appointments, their types, and treatments."""

from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service import clock
from service.storage.models.accounts import Doctor
from service.storage.models.declaration import Base, listed, one_of
from service.storage.models.patients import Patient


class AppointmentStatus(StrEnum):
    """The status of an appointment."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"


TAKES_PLACE = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED, AppointmentStatus.COMPLETED)
"""Statuses of appointments that take the doctor's and the patient's time."""
OPEN = (AppointmentStatus.BOOKED, AppointmentStatus.ARRIVED)
"""Statuses of appointments without an outcome."""
NOT_COMING = (AppointmentStatus.CANCELLED, AppointmentStatus.NO_SHOW)
"""Statuses of appointments that don't, or didn't, take place."""
OVER = (AppointmentStatus.COMPLETED, *NOT_COMING)
"""Statuses of appointments with an outcome."""


class CancelledBy(StrEnum):
    """The side that canceled an appointment."""

    PATIENT = "patient"
    CLINIC = "clinic"


def _no_overlap(whose: str, span: str) -> ExcludeConstraint:
    """A PostgreSQL constraint against overlapping appointments; needs the extension btree_gist."""
    return ExcludeConstraint(
        (text(whose), "="),
        (text(f"tstzrange({span})"), "&&"),
        where=text(f"status IN ({listed(TAKES_PLACE)}) AND NOT overbooked"),
        name=f"ex_appointments_{whose}",
    ).ddl_if("postgresql")


def _same_as(column: str) -> Callable[[DefaultExecutionContext], Any]:
    """Return a default that copies another column of the new row."""

    def value(context: DefaultExecutionContext) -> Any:
        parameters: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return parameters[column]

    return value


class VisitType(Base):
    """An appointment type: how long it takes, and whether patients can book it themselves."""

    __tablename__ = "visit_types"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    minutes: Mapped[int]
    colour: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """One of the eight colors of the style sheet, 0 to 7."""
    online: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class Appointment(Base):
    """An appointment. Appointments of a doctor or a patient never overlap, unless one is overbooked on purpose.

    The database ensures this: with the constraints below, and on SQLite with triggers (storage/triggers.py).
    """

    __tablename__ = "appointments"
    __table_args__ = (
        one_of("status", AppointmentStatus),
        one_of("cancelled_by", CancelledBy),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        # SQLite's overlap trigger relies on this to check only a few rows.
        CheckConstraint(
            "ends_at <= strftime('%Y-%m-%d %H:%M:%S', starts_at, '+12 hours') || '.999999'", name="at_most_12_hours"
        ).ddl_if("sqlite"),
        CheckConstraint("ends_at <= starts_at + interval '12 hours'", name="at_most_12_hours").ddl_if("postgresql"),
        CheckConstraint(
            "blocked_until <= strftime('%Y-%m-%d %H:%M:%S', blocked_from, '+12 hours') || '.999999'",
            name="blocked_at_most_12_hours",
        ).ddl_if("sqlite"),
        CheckConstraint("blocked_until <= blocked_from + interval '12 hours'", name="blocked_at_most_12_hours").ddl_if(
            "postgresql"
        ),
        _no_overlap("doctor_id", "coalesce(blocked_from, starts_at), coalesce(blocked_until, ends_at)"),
        _no_overlap("patient_id", "starts_at, ends_at"),
        Index(None, "doctor_id", "starts_at"),
        Index(None, "patient_id", "starts_at"),
        Index(None, "starts_at", "status"),
        Index(None, "status", "starts_at"),
        Index(None, "rescheduled_from_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    """Both are derived from the local time below, and again when the rules of the time zone change."""
    local_start: Mapped[str | None] = mapped_column(String(16))
    """`YYYY-MM-DDTHH:MM` in the clinic's zone: what the patient was told. None only in rows another program wrote."""
    local_fold: Mapped[int | None]
    """1 for the second of two equal times when clocks are set back; else 0."""
    zone: Mapped[str | None] = mapped_column(String(64))
    blocked_from: Mapped[datetime | None] = mapped_column(default=_same_as("starts_at"))
    blocked_until: Mapped[datetime | None] = mapped_column(default=_same_as("ends_at"))
    """Until when the doctor sees nobody else. It doesn't block the patient's other appointments.

    None: until the end of the appointment.
    """
    status: Mapped[AppointmentStatus] = mapped_column(
        default=AppointmentStatus.BOOKED, server_default=AppointmentStatus.BOOKED
    )
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    confirmed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[CancelledBy | None]
    cancellation_reason: Mapped[str | None] = mapped_column(String(200))
    cancelled_late: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether the patient canceled it after the clinic's cutoff."""
    ended_at: Mapped[datetime | None]
    """When it was marked completed or a no-show."""
    rescheduled_from_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    rescheduled_at: Mapped[datetime | None]
    """Set on the original appointment: another row has replaced it."""
    visit_type_id: Mapped[int | None] = mapped_column(ForeignKey("visit_types.id"))
    series_id: Mapped[int | None]
    """The id of the first appointment of the series."""
    overbooked: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    overbooking_reason: Mapped[str | None] = mapped_column(String(200))
    booked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None if it was imported."""
    calendar_uid: Mapped[str | None] = mapped_column(String(300))
    """The UID of its calendar entry, if that was sent before the clinic had an id.

    All other UIDs are derived from that id.
    """
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    doctor: Mapped[Doctor] = relationship(lazy="raise")
    patient: Mapped[Patient] = relationship(lazy="raise")
    visit_type: Mapped[VisitType | None] = relationship(lazy="raise")

    __mapper_args__ = {"version_id_col": version}

    @classmethod
    def is_expected(cls) -> ColumnElement[bool]:
        """Return the condition for upcoming appointments, by time and status."""
        return cls.status.in_(OPEN) & (cls.ends_at > clock.now())


class Treatment(Base):
    """What was found and done at an appointment. Earlier versions are kept."""

    __tablename__ = "treatments"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id"), unique=True)
    visit_type: Mapped[str] = mapped_column(String(60), default="", server_default="")
    symptoms: Mapped[str] = mapped_column(Text, default="", server_default="")
    diagnosis: Mapped[str] = mapped_column(Text, default="", server_default="")
    treatment: Mapped[str] = mapped_column(Text, default="", server_default="")
    prescription: Mapped[str] = mapped_column(Text, default="", server_default="")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    next_visit: Mapped[date | None]
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    appointment: Mapped[Appointment] = relationship(lazy="raise")

    __mapper_args__ = {"version_id_col": version}


class TreatmentVersion(Base):
    """A treatment as it was before a correction."""

    __tablename__ = "treatment_versions"
    __table_args__ = (UniqueConstraint("treatment_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    treatment_id: Mapped[int] = mapped_column(ForeignKey("treatments.id"))
    version: Mapped[int]
    fields: Mapped[dict[str, Any]]
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    replaced_at: Mapped[datetime]
