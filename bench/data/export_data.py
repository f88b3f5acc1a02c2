"""A patient with a million treatments, put straight into the tables of a fresh database."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bench.data.clinics import Clinic

PATIENT = 1
LAST = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
TYPES = ("Follow-up", "First visit", "Check-up", "Vaccination", "Emergency", "Telephone")
SENTENCES = (
    "Persistent cough for two weeks, worse at night; no fever.",
    "Lower back pain after lifting, radiates to the left leg.",
    "Blood pressure 142/91 mmHg, pulse 76/min, regular.",
    "Acute bronchitis, probably viral; lungs clear on auscultation.",
    "Essential hypertension, moderately controlled.",
    "Rest, plenty of fluids, paracetamol as needed; return if fever rises above 39.",
    'Dressing changed, wound clean and dry. Patient asked: "may I swim?" Not yet.',
    "Ibuprofen 400 mg, 1-0-1 with meals, 5 days",
    "Ramipril 5 mg, 1-0-0; Amlodipin 5 mg, 0-0-1",
    "Überweisung an die Kardiologie, Befund erbeten.",
    "Δοσολογία: ένα δισκίο το πρωί.",
    "",
)
RISKY = (
    "=HYPERLINK(A1)",
    "+49 30 1234567 called back",
    "-2 kg since the last visit",
    "@home measurements attached",
    "  =1+1",
    "first line\r\nsecond line",
    "first line\rsecond line",
    "\tindented by a tabulator",
    "＝1+1",
    "\r\nbegins with an empty line",
)
VISIT = (
    "INSERT INTO appointments (id, doctor_id, patient_id, starts_at, ends_at, status, created_at)"
    " VALUES (?,?,?,?,?,?,?)"
)
TREATMENT = (
    "INSERT INTO treatments (id, appointment_id, visit_type, symptoms, diagnosis, treatment, prescription, notes,"
    " next_visit, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)


def fill(clinic: Clinic, rows: int) -> None:
    """Migrate the clinic's database and insert the patient with so many appointments of a quarter of an hour."""
    clinic.command("migrate")
    now = _text(LAST)
    with closing(sqlite3.connect(clinic.database)) as connection, connection:
        for doctor in range(1, 6):
            connection.execute(
                "INSERT INTO doctors (id, name, created_at) VALUES (?,?,?)", (doctor, f"Dr. No. {doctor}", now)
            )
        connection.execute(
            "INSERT INTO patients (id, name, created_at) VALUES (?,?,?)", (PATIENT, "Łucja d'Été-Müller", now)
        )
        connection.executemany(VISIT, _visits(rows))
        connection.executemany(TREATMENT, _treatments(rows))


def _visits(rows: int) -> Iterator[tuple[Any, ...]]:
    for row in range(1, rows + 1):
        start = LAST - timedelta(minutes=15 * (rows - row))
        begun = _text(start)
        yield row, 1 + row % 5, PATIENT, begun, _text(start + timedelta(minutes=15)), "completed", begun


def _treatments(rows: int) -> Iterator[tuple[Any, ...]]:
    rng, now = Random(1), _text(LAST)
    for row in range(1, rows + 1):
        texts = rng.choices(SENTENCES, k=5)
        if rng.random() < 0.1:
            texts[rng.randrange(5)] = rng.choice(RISKY)
        next_visit = f"2027-{1 + row % 12:02}-{1 + row % 28:02}" if row % 3 == 0 else None
        yield row, row, TYPES[row % len(TYPES)], *texts, next_visit, now, now


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"
