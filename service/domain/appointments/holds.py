"""Holds: slots reserved for a patient on the waitlist, which no one else can book."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.storage.models import Offer, WaitlistEntry

HELD_FOR = timedelta(minutes=20)
LONGEST = timedelta(hours=12)
"""The longest appointment; it limits how far around a time queries look."""


class Hold(NamedTuple):
    """A slot with a doctor, reserved for a patient; times in UTC."""

    doctor_id: int
    starts_at: datetime
    ends_at: datetime
    patient_id: int


def held(session: Session, doctor_ids: Sequence[int] | None, first: datetime, last: datetime) -> list[Hold]:
    """Return the holds between two instants (UTC) with the given doctors, or with any (None)."""
    query = (
        select(Offer.doctor_id, Offer.starts_at, Offer.ends_at, WaitlistEntry.patient_id)
        .join(Offer.entry)
        .where(Offer.closed_at.is_(None), Offer.expires_at > clock.now())
        .where(Offer.starts_at > first - LONGEST, Offer.starts_at < last, Offer.ends_at > first)
        .order_by(Offer.starts_at, Offer.id)
    )
    if doctor_ids is not None:
        query = query.where(Offer.doctor_id.in_(doctor_ids))
    return [Hold._make(row) for row in session.execute(query)]
