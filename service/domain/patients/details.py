"""Who a patient is and how to reach them: one object from page, API, import and registration to the record."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from service.config.settings import Clinic
from service.domain.foundation import contact_details
from service.storage.models import Patient
from service.storage.search_keys import search_key


@dataclass(frozen=True)
class PatientDetails:
    """The details as they are stored: the number in E.164, the address as typed."""

    name: str
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    given_name: str | None = None
    """Only where somebody said it: no rule tells which part of a name it is."""

    @classmethod
    def checked(
        cls, name: str, birth_date: date | None, phone: str, email: str, clinic: Clinic, given_name: str = ""
    ) -> Self:
        """The details that somebody typed, if they can be kept; an empty text becomes None. Raises Invalid."""
        return cls(
            name=contact_details.checked_name(name),
            birth_date=contact_details.checked_birth_date(birth_date, clinic.zone),
            phone=contact_details.checked_phone(phone, clinic.country),
            email=contact_details.checked_email(email) if email.strip() else None,
            given_name=contact_details.checked_given_name(given_name),
        )

    @classmethod
    def of(cls, patient: Patient) -> Self:
        """The details of a record."""
        return cls(patient.name, patient.birth_date, patient.phone, patient.email, patient.given_name)

    def columns(self) -> dict[str, Any]:
        """The columns of a record that hold them, with what a search compares."""
        return {**vars(self), "folded_name": search_key(self.name)}


def greeted(patient: Patient) -> str:
    """What a greeting calls a patient: the given name where it is known, else the full name, never a part of it."""
    return patient.given_name or patient.name.rstrip(" ,")
