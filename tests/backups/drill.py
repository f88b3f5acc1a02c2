"""A clinic that is backed up and restored by the commands, as on its own computer."""

import json
import zipfile
from pathlib import Path
from typing import Any

from service.storage.models import Message
from tests.house import House, at
from tests.process.launching import configure, rows, run

FIRST = at("2026-05-04 01:00")
"""Three in the morning at the clinic, the hour of backups."""


def small_clinic(house: House) -> tuple[int, int]:
    """A doctor, two patients with an address; returns the doctor's id and the first patient's."""
    doctor = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
    assert doctor is not None
    lena = house.patient("Lena", email="lena@clinic.example")
    house.patient("Otto", email="otto@clinic.example")
    return doctor, lena


def backups(folder: Path, pattern: str = "rounds-*") -> list[Path]:
    """The files in the folder of backups, oldest first."""
    return sorted((folder / "backups").glob(pattern), key=lambda file: file.stat().st_mtime_ns)


def backed_up(folder: Path) -> Path:
    """The backup that the command makes."""
    configure(folder)
    done = run(folder, "backup")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split(": ")[0])


def about(file: Path) -> dict[str, Any]:
    """What a backup says of itself."""
    with zipfile.ZipFile(file) as packed:
        return dict(json.loads(packed.read("about.json")))


def unpacked(file: Path, folder: Path) -> Path:
    """The database of a backup, taken out by the means everybody has."""
    with zipfile.ZipFile(file) as packed:
        packed.extract("rounds.db", folder)
    return folder


def names(folder: Path) -> list[str]:
    """All patients of a folder's database."""
    return [name for (name,) in rows(folder, "SELECT name FROM patients ORDER BY id")]


def message(
    house: House, visit: int, starts_at: Any, status: str, rule: str = "daily_reminder", due_at: Any = FIRST
) -> int:
    """A message of the outbox about Lena's visit."""
    made = Message(
        appointment_id=visit,
        starts_at=starts_at,
        rule=rule,
        channel="console",
        recipient="lena@clinic.example",
        status=status,
        due_at=due_at,
        lease_until=FIRST,
        created_at=FIRST,
    )
    with house.writing() as session:
        session.add(made)
        session.flush()
        return made.id
