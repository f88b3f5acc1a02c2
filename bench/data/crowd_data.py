"""Fifty patients with two thousand treatments each, put beside a demo clinic, and a session for each of them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

from bench.data.clinics import Clinic
from bench.data.export_data import LAST, SENTENCES, TREATMENT, VISIT
from service import clock
from service.config.settings import load
from service.domain.accounts import sessions
from service.domain.accounts.sessions import Place
from service.storage.database import Database
from service.storage.models import Doctor, Guardian, Patient, User

FIRST = 5_000_000
"""Ids of these rows begin here, behind those of the demo clinic."""


def add(clinic: Clinic, patients: int, treatments: int) -> list[str]:
    """Add the patients; returns a session's token for each."""
    settings = load(clinic.config)
    database = Database(settings.database_url)
    ids, now = range(FIRST, FIRST + patients), clock.now()
    with database.transaction() as session:
        for number in ids:
            name, email = f"Patient No. {number}", f"{number}@clinic.example"
            session.add(Doctor(id=number, name=f"Dr. No. {number}", created_at=now, archived_at=now))
            session.add(User(id=number, email=email, name=name, role="patient", created_at=now))
            session.add(Patient(id=number, name=name, created_at=now))
            session.flush()
            session.add(Guardian(user_id=number, patient_id=number, created_at=now))
        session.flush()
        limits = settings.security
        tokens = [sessions.begin(session, number, Place("127.0.0.1"), limits).token for number in ids]
    database.close()
    with closing(sqlite3.connect(clinic.database)) as connection, connection:
        connection.executemany(VISIT, (row for row, _ in _rows(ids, treatments)))
        connection.executemany(TREATMENT, (row for _, row in _rows(ids, treatments)))
    return tokens


def _rows(ids: range, treatments: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """An appointment and its treatment after the other, each patient's half an hour apart and with a doctor of their
    own.
    """
    row = FIRST
    for patient in ids:
        for turn in range(treatments):
            start = LAST - timedelta(minutes=30 * turn)
            begun, ended = (f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in (start, start + timedelta(minutes=15)))
            texts = [SENTENCES[(row + place) % len(SENTENCES)] for place in range(5)]
            yield (
                (row, patient, patient, begun, ended, "completed", begun),
                (row, row, "Follow-up", *texts, None, begun, begun),
            )
            row += 1
