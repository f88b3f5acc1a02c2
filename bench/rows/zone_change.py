"""A million appointments get their local times in an upgrade; then the law about the clock changes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from time import perf_counter

from alembic import command
from alembic.config import Config

from bench.data.clinics import Bench, Clinic, run
from bench.table import Row
from service.config.settings import Clinic as SettingsOfClinic
from service.storage.database import MIGRATIONS, Database

BEFORE = "0010"
"""The last revision without local times."""
DOCTORS = 100
PEOPLE = """
INSERT INTO users (email, name, role, created_at)
VALUES ('admin@clinic.example', 'Ada', 'admin', '2020-01-01 00:00:00');
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {doctors})
INSERT INTO doctors (name, created_at) SELECT 'Dr. ' || n, '2020-01-01 00:00:00' FROM number;
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {doctors})
INSERT INTO patients (name, created_at) SELECT 'Patient ' || n, '2020-01-01 00:00:00' FROM number;
"""
APPOINTMENTS = """
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < {count} - 1)
INSERT INTO appointments (doctor_id, patient_id, starts_at, ends_at, status, created_at)
SELECT n % {doctors} + 1, n % {doctors} + 1,
  strftime('%Y-%m-%d %H:%M:%S', {first}, '+' || (n / {doctors} * 30) || ' minutes') || '.000000',
  strftime('%Y-%m-%d %H:%M:%S', {first}, '+' || (n / {doctors} * 30 + 30) || ' minutes') || '.000000',
  '{status}', '2020-01-01 00:00:00' FROM number;
"""


def rows(bench: Bench) -> Iterator[Row]:
    """An upgrade of all, and a change of law for those ahead; SQLite."""
    count, ahead = bench.size(1_000_000, 20_000), bench.size(50_000, 2_000)
    clinic = bench.new("zone-change")
    _fill(clinic, count - ahead, ahead)
    seconds = _timed(clinic)
    done = clinic.ask("SELECT count(*) FROM appointments WHERE local_start IS NOT NULL")
    right = seconds < 90 and done == count
    yield Row(f"Upgrade, {count:,} appointments get local times", f"{seconds:.1f} s", "", None, "< 90 s", right)
    laws = clinic.folder / "laws"
    _write_law(laws)
    seconds = _timed(clinic, PYTHONTZPATH=str(laws))
    moved = clinic.ask("SELECT kept_local FROM zone_changes")
    right = seconds < 20 and moved == ahead
    yield Row(f"A law changes, {moved:,} of them keep their local time", f"{seconds:.1f} s", "", None, "< 20 s", right)


def _fill(clinic: Clinic, past: int, ahead: int) -> None:
    database = Database(f"sqlite:///{clinic.database}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection, connection.begin():
        config.attributes.update(connection=connection, clinic=SettingsOfClinic())
        command.upgrade(config, BEFORE)
    database.close()
    with closing(sqlite3.connect(clinic.database)) as file:
        file.executescript(PEOPLE.format(doctors=DOCTORS))
        for number, first, status in (
            (past, "date('now', '-400 days')", "completed"),
            (ahead, "date('now', '+30 days')", "booked"),
        ):
            file.executescript(APPOINTMENTS.format(count=number, doctors=DOCTORS, first=first, status=status))


def _timed(clinic: Clinic, **environment: str) -> float:
    began = perf_counter()
    run("migrate", "--config", str(clinic.config), **environment)
    return perf_counter() - began


def _write_law(folder: Path) -> None:
    """The clinic's zone takes over the clock of a place that is two hours ahead of UTC all year."""
    file = folder / "Europe" / "Berlin"
    file.parent.mkdir(parents=True)
    file.write_bytes(files("tzdata").joinpath("zoneinfo", "Etc", "GMT-2").read_bytes())
