"""A person with a row in each table of the list, and a text that is looked for in each column that may hold one."""

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Date, Enum, String, Table, insert, select

from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM, Actor
from service.domain.patients import whole_person
from service.storage.models import Base, MinutesOfDay, Patient, UtcDateTime
from tests.house import House, at, day

WHEN = at("2020-03-02 08:00")
"""Long enough ago that nothing has to be kept any more."""
LISTED = {rule.table.name: rule for rule in whole_person.TABLES}
BY_HAND = ("users", "guardians", "audit", "audit_details")
"""Made by what makes them in the clinic."""
VALUES: dict[str, Any] = {
    "appointments.ends_at": at("2020-03-02 08:15"),
    "appointments.blocked_until": at("2020-03-02 08:15"),
    "appointments.overbooked": True,
    "appointments.status": "completed",
    "exports.status": "available",
    "messages.status": "sent",
}


def mark(table: str, column: str, number: int) -> str:
    """The text in a column of a person."""
    return f"secret{number}-{table}-{column}"


def furnished(house: House, doctor: Actor, number: int) -> int:
    """A person with everything; returns the record's id."""
    mother = house.user("patient", f"secret{number}@mail.example", mark("users", "name", number))
    (patient_id,) = mother.patient_ids
    with house.writing() as session:
        patient = session.get_one(Patient, patient_id)
        for column in Base.metadata.tables["patients"].columns:
            if _is_text(column) and column.name != "email":
                setattr(patient, column.name, _text(column, number))
        patient.birth_date, patient.phone = day("1985-05-04"), f"+4930555{number:04}"
        texts = {"name": [mark("audit_details", "changes", number), None]}
        audit.record(session, SYSTEM, "patient.change", patient_id=patient_id, changes=texts)
        ids = {"patients": patient_id, "users": mother.user_id, "doctors": doctor.doctor_id}
        for table in Base.metadata.sorted_tables:
            if table.name in LISTED and table.name not in BY_HAND:
                made = session.connection().execute(insert(table).values(_row(table, ids, number)))
                assert made.inserted_primary_key is not None
                ids[table.name] = made.inserted_primary_key[0]
    return patient_id


def traces(house: House, number: int) -> set[str]:
    """The columns in whose text the clinic still has something of a person, where an erasure should leave none."""
    found = set()
    with house.reading() as session:
        for table in Base.metadata.sorted_tables:
            harmless = LISTED[table.name].harmless if table.name in LISTED else {}
            for column in table.columns:
                if isinstance(column.type, (String, JSON)) and column.name not in harmless:
                    texts = map(str, session.scalars(select(column)))
                    found |= {str(column) for text in texts if f"secret{number}" in text}
    return found


def rows_of(house: House, patient_id: int) -> dict[str, int]:
    """How many rows of each table name a record."""
    with house.reading() as session:
        return {
            name: sum(patient_id in row for row in session.execute(select(*rule.of_patients)))
            for name, rule in LISTED.items()
            if rule.of_patients
        }


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, String) and not isinstance(column.type, Enum)


def _row(table: Table, ids: dict[str, Any], number: int) -> dict[str, Any]:
    values = {column.name: _value(column, ids, number) for column in table.columns}
    return {name: value for name, value in values.items() if value is not None}


def _value(column: Column[Any], ids: dict[str, Any], number: int) -> Any:
    """Something for a column: what the list's rules have to find, where it may hold a text."""
    name = f"{column.table.name}.{column.name}"
    if name in VALUES:
        return VALUES[name]
    if column.foreign_keys:
        return ids.get(next(iter(column.foreign_keys)).column.table.name)
    if isinstance(column.type, Enum):
        return column.type.enums[0]
    if _is_text(column):
        return _text(column, number)
    if isinstance(column.type, JSON):
        line = {"patient_id": ids["patients"], "patient_name": mark(column.table.name, column.name, number)}
        return {"visits": [{**line, "reason": mark(column.table.name, "reason", number)}]}
    if column.primary_key:
        return None
    kinds: dict[type[Any], Any] = {Boolean: False, UtcDateTime: WHEN, Date: day("2020-03-09"), MinutesOfDay: None}
    return next((value for kind, value in kinds.items() if isinstance(column.type, kind)), 1)


def _text(column: Column[Any], number: int) -> str:
    text = mark(column.table.name, column.name, number)
    length = column.type.length or len(text)  # type: ignore[attr-defined]
    if column.name == "month":
        return f"2020-{number:02}"
    return text[:length] if length >= len(text) or column.name == "folded_name" else f"{number}{'0' * length}"[:length]
