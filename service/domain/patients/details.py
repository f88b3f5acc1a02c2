"""A patient's name, birth date, and contact details, as pages, API, imports, and registration pass them on."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from service.config.settings import Clinic
from service.domain.foundation import contact_details
from service.storage.models import Patient
from service.storage.search_keys import search_key


@dataclass(frozen=True)
class PatientDetails:
    """The details as they are stored: the phone number in E.164, the e-mail address as typed."""

    name: str
    birth_date: date | None = None
    phone: str | None = None
    email: str | None = None
    given_name: str | None = None
    """Only if someone entered it. No rule can tell which part of a name it is."""

    @classmethod
    def checked(
        cls, name: str, birth_date: date | None, phone: str, email: str, clinic: Clinic, given_name: str = ""
    ) -> Self:
        """Return what someone typed as details; an empty text becomes None. Raises Invalid."""
        return cls(
            name=contact_details.checked_name(name),
            birth_date=contact_details.checked_birth_date(birth_date, clinic.zone),
            phone=contact_details.checked_phone(phone, clinic.country),
            email=contact_details.checked_email(email) if email.strip() else None,
            given_name=contact_details.checked_given_name(given_name),
        )

    @classmethod
    def of(cls, patient: Patient) -> Self:
        """Return the details of a record."""
        return cls(patient.name, patient.birth_date, patient.phone, patient.email, patient.given_name)

    def columns(self) -> dict[str, Any]:
        """Return the columns of the record, including the search key."""
        return {**vars(self), "folded_name": search_key(self.name)}


def greeted(patient: Patient) -> str:
    """Return the name for a greeting: the given name if known, otherwise the full name, never a part of it."""
    return patient.given_name or patient.name.rstrip(" ,")
