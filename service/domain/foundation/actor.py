"""Actors: a signed-in user with their permissions, or the system itself."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    RECEPTIONIST = "receptionist"
    DOCTOR = "doctor"
    PATIENT = "patient"
    SYSTEM = "system"


STAFF = frozenset({Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR})


@dataclass(frozen=True)
class Actor:
    """The acting user or job: the second argument of every domain function that a person or a job calls."""

    role: Role
    name: str = ""
    user_id: int | None = None
    doctor_id: int | None = None
    patient_ids: frozenset[int] = field(default_factory=frozenset)
    address: str | None = None
    """The network address of the request, for the audit log."""

    @property
    def is_staff(self) -> bool:
        """Whether the actor works at the clinic."""
        return self.role in STAFF


SYSTEM = Actor(role=Role.SYSTEM, name="system")
