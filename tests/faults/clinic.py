"""Clinics for tests of faults: histories too big to write in an instant, mornings with many patients."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from service import clock
from service.storage.models import Appointment, Patient
from tests.house import House
from tests.process.launching import change


def big_history(house: House, email: str, treatments: int) -> int:
    """A patient with an account and so many treatments; returns the patient's id."""
    doctor = house.user("doctor", f"dr.{email}", "Dr Long")
    eve = house.user("patient", email, "Eve")
    (patient_id,) = eve.patient_ids
    first = f"{clock.now() - timedelta(minutes=15 * treatments):%Y-%m-%d %H:%M:%S}"
    numbers, at = _on_sqlite(first, treatments) if house.wiring.database.is_sqlite else _on_server(first, treatments)

    change(
        house.settings.base,
        "INSERT INTO appointments (doctor_id, patient_id, starts_at, ends_at, status, created_at) "
        f"SELECT {doctor.doctor_id}, {patient_id}, {at(0)}, {at(15)}, 'completed', {at(0)} FROM {numbers}",
        "INSERT INTO treatments (appointment_id, visit_type, diagnosis, notes, created_at, updated_at) "
        "SELECT id, 'Check', 'Nothing new', 'Visit ' || id, starts_at, starts_at FROM appointments "
        f"WHERE patient_id = {patient_id}",
    )
    return patient_id


def _on_sqlite(first: str, rows: int) -> tuple[str, Callable[[int], str]]:
    """So many numbers `i` from 0 on, and the instant so many minutes after the i-th quarter of an hour."""

    def at(minutes: int) -> str:
        return f"strftime('%Y-%m-%d %H:%M:%S', '{first}', '+' || (i * 15 + {minutes}) || ' minutes') || '.000000'"

    counted = f"WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < {rows - 1}) SELECT i FROM n"
    return f"({counted})", at


def _on_server(first: str, rows: int) -> tuple[str, Callable[[int], str]]:
    """The same in PostgreSQL's words."""

    def at(minutes: int) -> str:
        return f"timestamptz '{first}+00' + (i * 15 + {minutes}) * interval '1 minute'"

    return f"generate_series(0, {rows - 1}) AS n(i)", at


def booked_morning(house: House, first: datetime, patients: int, names: str = "clinic") -> None:
    """So many patients, each with an address of their own (at `names`) and an appointment from `first` on, a minute
    apart.
    """
    doctor = house.user("doctor", f"ada@{names}.example", "Dr Ada")
    assert doctor.doctor_id is not None
    booked = first - timedelta(days=10)
    with house.writing() as session:
        for number in range(patients):
            at = first + timedelta(minutes=number)
            patient = Patient(name=f"Patient {number}", email=f"p{number}@{names}.example", created_at=booked)
            session.add(patient)
            session.flush()
            visit = {"starts_at": at, "ends_at": at + timedelta(minutes=1), "created_at": booked}
            session.add(Appointment(doctor_id=doctor.doctor_id, patient_id=patient.id, **visit))


def begun_visits(house: House, doctor_id: int, patient_id: int, visits: int) -> list[int]:
    """So many appointments that took place and have no treatment yet; returns their ids."""
    first = clock.now() - timedelta(hours=visits)
    with house.writing() as session:
        made = [
            Appointment(
                doctor_id=doctor_id,
                patient_id=patient_id,
                starts_at=first + timedelta(minutes=20 * turn),
                ends_at=first + timedelta(minutes=20 * turn + 15),
                overbooked=True,
                created_at=first - timedelta(days=9),
            )
            for turn in range(visits)
        ]
        session.add_all(made)
        session.flush()
        return [visit.id for visit in made]


def wall(text: str) -> datetime:
    """An instant by the clinic's clock on the wall."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo("Europe/Berlin"))


def part_files(folder: Path) -> list[Path]:
    """Files that someone began to write and did not finish."""
    return list(folder.rglob("*.part"))
