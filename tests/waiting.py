"""A waitlist as tests set it up."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from service import clock
from service.storage.models import Doctor, Offer, VisitType, WaitlistEntry
from tests.house import House


def visit_type(house: House, name: str = "Long talk", minutes: int = 30, **more: Any) -> int:
    """A type of appointment; returns its id."""
    with house.writing() as session:
        made = VisitType(name=name, minutes=minutes, created_at=clock.now(), **more)
        session.add(made)
        session.flush()
        return made.id


def entry(house: House, patient: int, *, days_ago: float = 1, **more: Any) -> int:
    """Someone on the waitlist; returns the entry's id."""
    with house.writing() as session:
        made = WaitlistEntry(patient_id=patient, created_at=clock.now() - timedelta(days=days_ago), **more)
        session.add(made)
        session.flush()
        return made.id


def offer(house: House, waiting: int, doctor: int | None, starts_at: datetime, minutes: int = 15, **more: Any) -> int:
    """A time that is held for an entry; returns the offer's id."""
    values = {
        "ends_at": starts_at + timedelta(minutes=minutes),
        "created_at": clock.now(),
        "expires_at": clock.now() + timedelta(minutes=20),
        **more,
    }
    with house.writing() as session:
        made = Offer(waiting_id=waiting, doctor_id=doctor, starts_at=starts_at, **values)
        session.add(made)
        session.flush()
        return made.id


def row(house: House, table: type[Any], row_id: int) -> Any:
    """A row as it stands now."""
    with house.reading() as session:
        return session.get_one(table, row_id)


def archive(house: House, doctor: int | None) -> None:
    """The doctor leaves."""
    with house.writing() as session:
        session.scalars(select(Doctor).where(Doctor.id == doctor)).one().archived_at = clock.now()
