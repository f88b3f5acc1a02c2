"""The yardstick of the export: sqlite3, csv and a plain loop that writes the very same bytes."""

import csv
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

QUERY = """
SELECT p.id, p.name, d.name, a.starts_at, t.visit_type, t.symptoms, t.diagnosis, t.treatment, t.prescription, t.notes,
       t.next_visit
FROM treatments t
JOIN appointments a ON a.id = t.appointment_id
JOIN doctors d ON d.id = a.doctor_id
JOIN patients p ON p.id = a.patient_id
WHERE a.patient_id = ?
ORDER BY a.starts_at DESC, t.id
"""
HEADER = (
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
RISKY = frozenset("=+-@\t\r\n\0＝＋－＠")
ZONE = ZoneInfo("Europe/Berlin")


def guarded(text: str) -> str:
    """The text with LF line breaks, and a ' before what a spreadsheet could take for a formula."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.lstrip(" ")[:1] in RISKY else text


def local(stored: str) -> str:
    """The clinic's wall clock at a stored instant."""
    return datetime.fromisoformat(stored).replace(tzinfo=UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def write(database: Path, patient: int, file: Path) -> int:
    """Write the patient's history; returns the rows."""
    rows = 0
    with closing(sqlite3.connect(database)) as connection, open(file, "w", encoding="utf-8", newline="") as target:
        target.write("\ufeff")
        writer = csv.writer(target, quoting=csv.QUOTE_ALL)
        writer.writerow(HEADER)
        for number, name, doctor, starts_at, *texts, next_visit in connection.execute(QUERY, (patient,)):
            fields = [guarded(text) for text in (name, doctor)]
            writer.writerow([number, *fields, local(starts_at), *map(guarded, texts), next_visit or ""])
            rows += 1
    return rows
