"""The rows of a history, as dictionaries with the keys of export_columns, streamed, newest first."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from service.config.settings import Clinic
from service.domain.exports import export_columns
from service.domain.exports.export_columns import Table
from service.storage.models import (
    Appointment,
    ConsentChange,
    Doctor,
    Message,
    Patient,
    Treatment,
    TreatmentVersion,
    VisitType,
)

BATCH = 1000
Row = Mapping[str, Any]
Rows = Iterator[Row]
Progress = Callable[[int], None]
"""Called with the number of rows written so far; may raise to stop."""


@dataclass(frozen=True)
class History:
    """What to write: whose history, which tables, and for which clinic."""

    patient_id: int
    tables: tuple[Table, ...]
    clinic: Clinic


def patient(session: Session, patient_id: int) -> Row:
    """Return the patient, with the keys of export_columns.PATIENT."""
    row = session.get_one(Patient, patient_id)
    return {column.key: getattr(row, column.key) for column in export_columns.PATIENT}


def count(session: Session, patient_id: int, tables: tuple[Table, ...]) -> int:
    """Return the number of rows of the tables."""
    sources = [SOURCES[table.name](patient_id).order_by(None).subquery() for table in tables]
    return sum(session.scalar(select(func.count()).select_from(source)) or 0 for source in sources)


def rows(session: Session, patient_id: int, table: Table) -> Rows:
    """Return the rows of a table of the history."""
    if table is export_columns.TREATMENTS:
        return _with_earlier_versions(session, _treatments(patient_id))
    return _streamed(session, SOURCES[table.name](patient_id))


def _streamed(session: Session, query: Select[*tuple[Any, ...]]) -> Rows:
    for batch in _batches(session, query):
        yield from batch


def _batches(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[list[Row]]:
    streamed = {"stream_results": True, "max_row_buffer": BATCH}
    for partition in session.connection().execute(query, execution_options=streamed).mappings().partitions(BATCH):
        yield [dict(row) for row in partition]


def _with_earlier_versions(session: Session, query: Select[*tuple[Any, ...]]) -> Rows:
    for batch in _batches(session, query):
        earlier = _earlier_versions(session, [row["id"] for row in batch])
        for row in batch:
            yield {**row, "earlier_versions": earlier.get(row["id"], [])}


def _earlier_versions(session: Session, treatments: list[int]) -> Mapping[int, list[dict[str, Any]]]:
    earlier, found = TreatmentVersion, defaultdict[int, list[dict[str, Any]]](list)
    query = (
        select(earlier.treatment_id, earlier.version, earlier.fields, earlier.replaced_at)
        .where(earlier.treatment_id.in_(treatments))
        .order_by(earlier.treatment_id, earlier.version)
    )
    for treatment_id, version, fields, replaced_at in session.execute(query):
        found[treatment_id].append({"version": version, "fields": fields, "replaced_at": replaced_at})
    return found


def _treatments(patient_id: int) -> Select[*tuple[Any, ...]]:
    columns = [
        Treatment.id,
        Treatment.appointment_id,
        Appointment.doctor_id,
        Doctor.name.label("doctor_name"),
        Doctor.department,
        Appointment.starts_at,
        Appointment.ends_at,
        Treatment.visit_type,
        Treatment.symptoms,
        Treatment.diagnosis,
        Treatment.treatment,
        Treatment.prescription,
        Treatment.notes,
        Treatment.next_visit,
        Treatment.recorded_by_id,
        Treatment.created_at,
        Treatment.updated_at,
        Treatment.version,
    ]
    return (
        select(*columns)
        .select_from(Treatment)
        .join(Treatment.appointment)
        .join(Appointment.doctor)
        .where(Appointment.patient_id == patient_id)
        .order_by(Appointment.starts_at.desc(), Treatment.id)
    )


def _visits(patient_id: int) -> Select[*tuple[Any, ...]]:
    joined = {"doctor_name": Doctor.name, "department": Doctor.department, "visit_type": VisitType.name}
    columns = [
        joined[key].label(key) if key in joined else getattr(Appointment, key) for key in export_columns.VISITS.keys
    ]
    return (
        select(*columns)
        .select_from(Appointment)
        .join(Appointment.doctor)
        .outerjoin(Appointment.visit_type)
        .where(Appointment.patient_id == patient_id)
        .order_by(Appointment.starts_at.desc(), Appointment.id)
    )


def _messages(patient_id: int) -> Select[*tuple[Any, ...]]:
    columns = [getattr(Message, key) for key in export_columns.MESSAGES.keys]
    return select(*columns).where(Message.patient_id == patient_id).order_by(Message.created_at.desc(), Message.id)


def _consent(patient_id: int) -> Select[*tuple[Any, ...]]:
    columns = [getattr(ConsentChange, key) for key in export_columns.CONSENT.keys]
    newest = ConsentChange.changed_at.desc(), ConsentChange.id.desc()
    return select(*columns).where(ConsentChange.patient_id == patient_id).order_by(*newest)


SOURCES: Mapping[str, Callable[[int], Select[*tuple[Any, ...]]]] = {
    "treatments": _treatments,
    "consent": _consent,
    "visits": _visits,
    "messages": _messages,
}
"""Table name -> query for its rows."""
