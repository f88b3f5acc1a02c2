"""The CSV of a patient's treatments, and CSV of any other rows of a history.

Newest first, ties by treatment id. Columns are only ever added at the end. Rows come from the driver's own cursor: a
million of them take seconds and no memory.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from sqlalchemy import Select, String, bindparam, func, select, type_coerce
from sqlalchemy.orm import Session

from service.domain.exports import export_columns
from service.domain.exports.export_columns import Table
from service.domain.exports.history_tables import Progress, Rows
from service.domain.foundation.csv_format import begin, safe
from service.storage.models import Appointment, Doctor, Patient, Treatment

COLUMNS = export_columns.TREATMENTS.titles
BATCH = 1000


def count(session: Session, patient_id: int) -> int:
    """How many rows the patient's history has."""
    query = select(func.count()).select_from(Treatment).join(Appointment).where(Appointment.patient_id == patient_id)
    return session.execute(query).scalar_one()


def write(
    session: Session,
    patient_id: int,
    zone: ZoneInfo,
    target: TextIO,
    progress: Progress = lambda rows: None,
) -> int:
    """Write the whole history of a patient to `target` (opened with newline="") and return the number of rows.

    `progress` is told the rows written so far after every thousand; what it raises ends the writing.
    """
    writer = begin(target, COLUMNS)
    written = 0
    for batch in _batches(session, patient_id, zone):
        writer.writerows(batch)
        written += len(batch)
        progress(written)
    return written


def write_table(
    table: Table,
    rows: Rows,
    zone: ZoneInfo,
    target: TextIO,
    progress: Progress = lambda rows: None,
) -> int:
    """Write other rows of a history, given with the keys of their table, the same way; returns their number."""
    keys = [column.key for column in table.columns if column.title]
    writer, written = begin(target, table.titles), 0
    for row in rows:
        writer.writerow([_field(row[key], zone) for key in keys])
        written += 1
        if written % BATCH == 0:
            progress(written)
    progress(written)
    return written


def _field(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _batches(session: Session, patient_id: int, zone: ZoneInfo) -> Iterator[list[list[Any]]]:
    local = _LocalTimes(zone)
    streamed = {"stream_results": True, "max_row_buffer": BATCH}
    rows = session.connection().execute(_query(), {"patient_id": patient_id}, execution_options=streamed)
    for partition in rows.partitions(BATCH):
        yield [_fields(row, local) for row in partition]


@cache
def _query() -> Select[*tuple[Any, ...]]:
    """The rows of a history; put together once, which costs more than twenty rows take to write."""
    return (
        select(
            Patient.id,
            Patient.name,
            Doctor.name,
            # On SQLite the stored text, unparsed: parsing a million times would cost as much as writing.
            type_coerce(Appointment.starts_at, String),
            Treatment.visit_type,
            Treatment.symptoms,
            Treatment.diagnosis,
            Treatment.treatment,
            Treatment.prescription,
            Treatment.notes,
            type_coerce(Treatment.next_visit, String),
        )
        .select_from(Treatment)
        .join(Treatment.appointment)
        .join(Appointment.doctor)
        .join(Appointment.patient)
        .where(Appointment.patient_id == bindparam("patient_id"))
        .order_by(Appointment.starts_at.desc(), Treatment.id)
    )


def _fields(row: Sequence[Any], local: "_LocalTimes") -> list[Any]:
    # Nearly every text begins with a letter or a digit and has no CR: it needs no closer look.
    patient, doctor, *texts = [
        text if not text or (text[0].isalnum() and "\r" not in text) else safe(text)
        for text in (row[1], row[2], *row[4:10])
    ]
    return [row[0], patient, doctor, local.of(row[3]), *texts, "" if row[10] is None else str(row[10])]


class _LocalTimes:
    """Stored instants as the clinic's wall clock shows them; the instants of a day share one look at the zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._shifts: dict[str, timedelta | None] = {}
        """UTC day -> how far the wall clock is ahead all day long, or None for a day on which that changes."""

    def of(self, stored: Any) -> str:
        """`YYYY-MM-DD HH:MM` on the wall; `stored` is SQLite's text or PostgreSQL's aware datetime."""
        if not isinstance(stored, str):
            return str(stored.astimezone(self._zone))[:16]
        day, at = stored[:10], datetime.fromisoformat(stored)
        if day not in self._shifts:
            self._learn(day)
        shift = self._shifts[day]
        return str(at + shift if shift is not None else at.replace(tzinfo=UTC).astimezone(self._zone))[:16]

    def _learn(self, day: str) -> None:
        if len(self._shifts) >= 20_000:
            self._shifts.clear()
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        ends = start, start + timedelta(hours=23, minutes=59, seconds=59)
        first, last = (at.astimezone(self._zone).utcoffset() for at in ends)
        self._shifts[day] = first if first == last else None
