"""Write treatments and other tables of a history as CSV.

Newest first, ties by treatment id. New columns are only ever added at the end. Rows come from the driver's own cursor,
so a million of them take seconds and no memory.
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
    """Return the number of rows of a history."""
    query = select(func.count()).select_from(Treatment).join(Appointment).where(Appointment.patient_id == patient_id)
    return session.execute(query).scalar_one()


def write(
    session: Session,
    patient_id: int,
    zone: ZoneInfo,
    target: TextIO,
    progress: Progress = lambda rows: None,
) -> int:
    """Write a patient's history to `target` (opened with newline=""), and return the number of rows.

    `progress` is called with the number of rows every thousand rows, and may raise to stop.
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
    """Write the rows of another table of a history, and return their number."""
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
    """Return the query for a history. It's built only once, because that takes longer than writing twenty rows."""
    return (
        select(
            Patient.id,
            Patient.name,
            Doctor.name,
            # On SQLite, use the stored text: parsing a million times would take as long as writing.
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
    # Nearly every text starts with a letter or a digit and has no CR, so it needs no further checks.
    patient, doctor, *texts = [
        text if not text or (text[0].isalnum() and "\r" not in text) else safe(text)
        for text in (row[1], row[2], *row[4:10])
    ]
    return [row[0], patient, doctor, local.of(row[3]), *texts, "" if row[10] is None else str(row[10])]


class _LocalTimes:
    """Converts stored instants to the clinic's time zone, with one lookup per day."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._shifts: dict[str, timedelta | None] = {}
        """UTC day -> the offset all day, or None if it changes on that day."""

    def of(self, stored: Any) -> str:
        """Return the local time as `YYYY-MM-DD HH:MM`. `stored` is SQLite's text or PostgreSQL's aware datetime."""
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
