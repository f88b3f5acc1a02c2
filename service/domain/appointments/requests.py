"""Requests to book or reschedule, shared by pages, links, and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class BookingRequest:
    """An appointment for a patient at an instant (UTC), with one doctor or (None) any free one of the department."""

    patient_id: int
    starts_at: datetime
    doctor_id: int | None = None
    department: str = ""
    visit_type_id: int | None = None
    reason: str = ""
    overbooking_reason: str = ""
    """If set, staff book even if the slot is taken."""


@dataclass(frozen=True)
class SeriesRequest:
    """Repeats of the first appointment, `every_days` days apart at the same local time; `count` includes the first."""

    first: BookingRequest
    count: int
    every_days: int


@dataclass(frozen=True)
class MoveRequest:
    """A new instant (UTC) for an appointment, with one of these doctors, or its current one if empty."""

    starts_at: datetime
    doctor_ids: Sequence[int] = ()
    overbooking_reason: str = ""
    version: int | None = None
    """The version of the appointment the user saw, if known."""
