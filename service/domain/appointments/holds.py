"""Times that are held for somebody on the waiting list: as good as taken for everybody else."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.storage.models import Offer, WaitingEntry

HELD_FOR = timedelta(minutes=20)
LONGEST = timedelta(hours=12)
"""No visit is longer, so that only offers near a time are looked at."""


def held(
    session: Session, doctor_ids: Sequence[int], first: datetime, last: datetime, *, except_patient: int | None
) -> list[tuple[int, datetime, datetime]]:
    """Offers that stand between two instants, as (doctor's id, start, end) in UTC; not those made to a patient."""
    query = (
        select(Offer.doctor_id, Offer.starts_at, Offer.ends_at)
        .where(Offer.doctor_id.in_(doctor_ids), Offer.closed_at.is_(None), Offer.expires_at > clock.now())
        .where(Offer.starts_at > first - LONGEST, Offer.starts_at < last, Offer.ends_at > first)
        .order_by(Offer.starts_at, Offer.id)
    )
    if except_patient is not None:
        query = query.join(Offer.entry).where(WaitingEntry.patient_id != except_patient)
    return [(doctor_id, starts_at, ends_at) for doctor_id, starts_at, ends_at in session.execute(query)]
