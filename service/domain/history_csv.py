"""The CSV of a patient's history: its columns, its guard against spreadsheet formulas, and its writer.

UTF-8 with BOM, CRLF, every field quoted, LF inside fields; newest first, ties by treatment id. Columns are only
ever added at the end. Rows come from the driver's own cursor: a million of them take seconds and no memory.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from sqlalchemy import String, func, select, type_coerce
from sqlalchemy.orm import Session

from service.models import Appointment, Doctor, Patient, Treatment

COLUMNS = (
    "Patient ID",
    "Patient Name",
    "Doctor Name",
    "Appointment Date",
    "Visit Type",
    "Symptoms",
    "Diagnosis",
    "Treatment",
    "Prescription",
    "Notes",
    "Next Visit",
)
BATCH = 1000

# A spreadsheet runs a cell as a formula when it begins so, also behind blanks (OWASP, WSTG-INPV-21).
_formula = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[^\S\t\r\n]*[\t\r\n\x00]").match
_suspects = re.compile(r"[=+\-@＝＋－＠\t\r\n\x00]").search


def guarded(text: str) -> str:
    """The text as a spreadsheet may safely open it: one leading ' where it could be read as a formula."""
    return f"'{text}" if _formula(text) else text


def count(session: Session, patient_id: int) -> int:
    """How many rows the patient's history has."""
    query = select(func.count()).select_from(Treatment).join(Appointment).where(Appointment.patient_id == patient_id)
    return session.execute(query).scalar_one()


def write(
    session: Session,
    patient_id: int,
    zone: ZoneInfo,
    target: TextIO,
    progress: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write the whole history of a patient to `target` (opened with newline="") and return the number of rows.

    `progress` is told the rows written so far after every thousand; what it raises ends the writing.
    """
    target.write("\ufeff")
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    written = 0
    for batch in _batches(session, patient_id, zone):
        writer.writerows(batch)
        written += len(batch)
        progress(written)
    return written


def _batches(session: Session, patient_id: int, zone: ZoneInfo) -> Iterator[list[list[Any]]]:
    query = (
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
        .where(Appointment.patient_id == patient_id)
        .order_by(Appointment.starts_at.desc(), Treatment.id)
    )
    local = _LocalTimes(zone)
    rows = session.connection().execution_options(stream_results=True, max_row_buffer=BATCH).execute(query)
    for partition in rows.partitions(BATCH):
        yield [_fields(row, local) for row in partition]


def _fields(row: Sequence[Any], local: "_LocalTimes") -> list[Any]:
    fields = [field if field.__class__ is not str else _safe(field) if _suspects(field) else field for field in row]
    fields[3] = local[row[3]]
    fields[10] = "" if row[10] is None else str(row[10])
    return fields


def _safe(text: str) -> str:
    return guarded(text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text)


class _LocalTimes(dict[Any, str]):
    """Stored instants as the clinic's wall clock shows them; each hour is converted once."""

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone

    def __missing__(self, stored: Any) -> str:
        at = datetime.fromisoformat(stored).replace(tzinfo=UTC) if isinstance(stored, str) else stored
        text = f"{at.astimezone(self._zone):%Y-%m-%d %H:%M}"
        if len(self) < 50_000:
            self[stored] = text
        return text
