"""Whom a user acts as: their doctor, or the patients they look after. The same for sessions and tokens."""

from typing import NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from service.domain.foundation.actor import Actor, Role
from service.storage.models import Doctor, Guardian, User

BEHIND = and_(Doctor.user_id == User.id, Doctor.archived_at.is_(None), User.role == Role.DOCTOR)
"""Joins the doctor behind a user: none once they are archived, or the user works as something else."""


class Who(NamedTuple):
    """A user, and the doctor that BEHIND joins to them."""

    user_id: int
    name: str
    role: Role
    doctor_id: int | None


def actor(session: Session, who: Who, address: str) -> Actor:
    """The actor a user is, at a network address."""
    patients = frozenset[int]()
    if who.role == Role.PATIENT:
        patients = frozenset(session.scalars(select(Guardian.patient_id).where(Guardian.user_id == who.user_id)))
    return Actor(who.role, who.name, who.user_id, who.doctor_id, patients, address)
