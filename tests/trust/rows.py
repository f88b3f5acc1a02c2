"""Rows of the records of trust: who stands in for whom, and what was opened in an emergency."""

from datetime import datetime, timedelta

from service.storage.models import Cover, EmergencyAccess, LegalHold
from tests.house import House


def covered(house: House, covered_id: int | None, doctor_id: int | None, starts_at: datetime, ends_at: datetime) -> int:
    """A doctor stands in for another; returns the row's id."""
    with house.writing() as session:
        row = Cover(
            doctor_id=doctor_id, covered_id=covered_id, starts_at=starts_at, ends_at=ends_at, created_at=starts_at
        )
        session.add(row)
        session.flush()
        return row.id


def opened(house: House, doctor_id: int | None, patient_id: int, reason: str, at: datetime) -> int:
    """A doctor opened a record in an emergency, for eight hours; returns the row's id."""
    with house.writing() as session:
        row = EmergencyAccess(
            doctor_id=doctor_id,
            patient_id=patient_id,
            reason=reason,
            created_at=at,
            expires_at=at + timedelta(hours=8),
        )
        session.add(row)
        session.flush()
        return row.id


def held(house: House, patient_id: int, reason: str, at: datetime) -> int:
    """There is a legal hold on a record; returns the row's id."""
    with house.writing() as session:
        row = LegalHold(patient_id=patient_id, reason=reason, created_at=at)
        session.add(row)
        session.flush()
        return row.id
