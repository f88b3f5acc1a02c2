"""What is asked for when visits are booked or moved: the same for pages, links, the API and the desk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class BookingRequest:
    """A visit for a patient at an instant, with a doctor or (None) any of the department who is free then."""

    patient_id: int
    starts_at: datetime
    doctor_id: int | None = None
    department: str = ""
    visit_type_id: int | None = None
    reason: str = ""
    overbooking_reason: str = ""
    """With it staff book whatever else is there."""


@dataclass(frozen=True)
class SeriesRequest:
    """So many visits like the first, each some days after the one before at the same time of the clinic's day."""

    first: BookingRequest
    count: int
    every_days: int


@dataclass(frozen=True)
class MoveRequest:
    """Another instant for a visit, with one of these doctors, or (none named) with its own."""

    starts_at: datetime
    doctor_ids: Sequence[int] = ()
    overbooking_reason: str = ""
    version: int | None = None
    """The version of the visit that was seen, where that is known."""
