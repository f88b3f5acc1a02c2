"""Doctors' hours, time off, and cover; the waitlist and its offers."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.clock import DayTime
from service.storage.models.accounts import Doctor
from service.storage.models.appointments import VisitType
from service.storage.models.declaration import Base, one_of
from service.storage.models.patients import Patient


class ExceptionKind(StrEnum):
    """What a schedule exception does: it closes days, or adds hours."""

    OFF = "off"
    EXTRA = "extra"


class PartOfDay(StrEnum):
    """When someone on the waitlist can come."""

    ANY = "any"
    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"


BEGINS_ON_ITS_DAY, AT_MOST_24_HOURS = "starts >= 0 AND starts < 1440", "ends <= starts + 1440"


class DoctorHours(Base):
    """A block of a doctor's weekly hours, in the clinic's time zone. Free slots are computed from it, never stored.

    A block that crosses midnight belongs to the day on which it starts.
    """

    __tablename__ = "doctor_hours"
    __table_args__ = (
        CheckConstraint("ends > starts", name="ends_after_start"),
        CheckConstraint(BEGINS_ON_ITS_DAY, name="begins_on_its_day"),
        CheckConstraint(AT_MOST_24_HOURS, name="at_most_24_hours"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"), index=True)
    weekday: Mapped[int]
    """0 is Monday."""
    starts: Mapped[DayTime]
    ends: Mapped[DayTime]
    slot_minutes: Mapped[int]
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    """The last day on which it applies."""


class HoursException(Base):
    """A schedule exception: time off, a holiday of the whole clinic, or extra hours."""

    __tablename__ = "hours_exceptions"
    __table_args__ = (
        one_of("kind", ExceptionKind),
        CheckConstraint("last_day >= first_day", name="last_after_first"),
        CheckConstraint("ends > starts", name="ends_after_start"),
        CheckConstraint(BEGINS_ON_ITS_DAY, name="begins_on_its_day"),
        CheckConstraint(AT_MOST_24_HOURS, name="at_most_24_hours"),
        Index(None, "last_day"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: the whole clinic is closed."""
    kind: Mapped[ExceptionKind]
    first_day: Mapped[date]
    last_day: Mapped[date]
    starts: Mapped[DayTime | None]
    ends: Mapped[DayTime | None]
    """Without times, all of each day. With them, hours of each day, even if they cross midnight."""
    slot_minutes: Mapped[int | None]
    """For extra hours."""
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor | None] = relationship(lazy="raise")


class Cover(Base):
    """A doctor who covers for another one during a period, and sees their patients then."""

    __tablename__ = "covers"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("doctor_id <> covered_id", name="another"),
        Index(None, "doctor_id", "ends_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    covered_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor] = relationship(lazy="raise", foreign_keys=[doctor_id])
    covered: Mapped[Doctor] = relationship(lazy="raise", foreign_keys=[covered_id])


class MoveProposal(Base):
    """An appointment affected by time off, marked for a message that suggests new times."""

    __tablename__ = "move_proposals"

    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id"), primary_key=True)
    times: Mapped[dict[str, Any]]
    """`{"times": [{"doctor_id": 1, "starts_at": "…Z"}, …]}`, in UTC."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class WaitlistEntry(Base):
    """Someone who wants an earlier appointment, and when they can come."""

    __tablename__ = "waiting_list"
    __table_args__ = (
        one_of("part", PartOfDay),
        Index(None, "closed_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: any doctor."""
    visit_type_id: Mapped[int | None] = mapped_column(ForeignKey("visit_types.id"))
    weekdays: Mapped[str] = mapped_column(String(7), default="0123456", server_default="0123456")
    """The possible days of the week, as digits: 0 is Monday."""
    part: Mapped[PartOfDay] = mapped_column(default=PartOfDay.ANY, server_default=PartOfDay.ANY)
    urgent: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    """The appointment that was booked from it."""

    patient: Mapped[Patient] = relationship(lazy="raise")
    doctor: Mapped[Doctor | None] = relationship(lazy="raise")
    visit_type: Mapped[VisitType | None] = relationship(lazy="raise")


class Offer(Base):
    """A slot offered to someone on the waitlist, and held for them until the offer expires."""

    __tablename__ = "offers"
    __table_args__ = (Index(None, "doctor_id", "starts_at"), Index(None, "waiting_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    waiting_id: Mapped[int] = mapped_column(ForeignKey("waiting_list.id"))
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """When it was accepted or declined."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    entry: Mapped[WaitlistEntry] = relationship(lazy="raise")
