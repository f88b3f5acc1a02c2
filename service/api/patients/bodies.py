"""Request and response types for patients."""

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from service.api.fields import NO_NUL, Cursor, Day, Line, Sent, Shown, ShownAt, Version

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NO_NUL)]
GivenName = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]


class Patient(Shown):
    """A patient's name and contact details."""

    id: int
    name: str
    given_name: str | None = Field(description="The name that messages greet the patient by, or null if unknown.")
    birth_date: date | None
    phone: str | None = Field(description="E.164.")
    email: str | None
    allergies: str | None = Field(
        None, description="Only for the patient's doctors, with the scope clinical; otherwise null."
    )
    alerts: str | None = Field(None, description="The same.")
    merged_into_id: int | None = Field(description="The record that this one was merged into, or null.")
    created_at: ShownAt
    archived_at: ShownAt | None
    version: int


class Patients(Shown):
    """A page of patients."""

    items: list[Patient]
    next: str | None


class PatientQuery(Sent):
    q: Line = Field(
        "", description="A name, a birth date, or a phone number, as on the page. Empty: the latest patients."
    )
    after: Cursor | None = None


class NewPatient(Sent):
    name: Name
    given_name: GivenName = ""
    birth_date: Day | None = None
    phone: Annotated[str, StringConstraints(max_length=50, pattern=NO_NUL)] = ""
    email: Annotated[str, StringConstraints(max_length=254, pattern=NO_NUL)] = ""
    confirm: bool = Field(False, description="Add the patient even if they may already have a record (409).")


class PatientChange(Sent):
    """All of a patient's details. Fields that are left out are emptied."""

    name: Name
    given_name: GivenName = ""
    birth_date: Day | None = None
    phone: Annotated[str, StringConstraints(max_length=50, pattern=NO_NUL)] = ""
    email: Annotated[str, StringConstraints(max_length=254, pattern=NO_NUL)] = ""
    version: Version
