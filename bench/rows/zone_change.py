"""A million appointments get their local times in an upgrade; then the law about the clock changes; both databases."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from time import perf_counter

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from bench.data.clinics import Bench, Clinic, run
from bench.table import Row
from service.config.settings import Clinic as ClinicSettings
from service.storage.database import MIGRATIONS, Database
from service.storage.postgresql import TAKE_YOUR_TIME
from tests.services import postgres

BEFORE = "0010"
"""The last revision without local times."""
DOCTORS = 100
NUMBERS = "WITH RECURSIVE number(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM number WHERE n < {last})"
PEOPLE = (
    "INSERT INTO users (email, name, role, created_at)"
    " VALUES ('admin@clinic.example', 'Ada', 'admin', '2020-01-01 00:00:00')",
    f"{NUMBERS} INSERT INTO doctors (name, created_at) SELECT 'Dr. ' || n, {{long_ago}} FROM number",
    f"{NUMBERS} INSERT INTO patients (name, created_at) SELECT 'Patient ' || n, {{long_ago}} FROM number",
)
APPOINTMENTS = (
    f"{NUMBERS} INSERT INTO appointments (doctor_id, patient_id, starts_at, ends_at, status, created_at)"
    " SELECT {which}, {which}, {start}, {end}, '{status}', {long_ago} FROM number"
)
TIMES = {
    "sqlite": (
        "'2020-01-01 00:00:00'",
        "strftime('%Y-%m-%d %H:%M:%S', date('now', '{days} days'), '+' || ({minutes}) || ' minutes') || '.000000'",
    ),
    "postgresql": (
        "timestamptz '2020-01-01 00:00:00Z'",
        "date_trunc('day', now()) + interval '{days} days' + ({minutes}) * interval '1 minute'",
    ),
}
"""How each database writes an instant long ago, and one so many days and minutes from this morning."""


def rows(bench: Bench) -> Iterator[Row]:
    """SQLite within 90 seconds, PostgreSQL within 180."""
    yield from _measured(bench, "SQLite", "sqlite:///rounds.db", 90)
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.running(durable=True))
        except postgres.NotFound as reason:
            print(f"zone-change: no PostgreSQL, {reason}", file=sys.stderr)
            return
        yield from _measured(bench, "PostgreSQL", server.empty(), 180)


def _measured(bench: Bench, name: str, url: str, seconds_allowed: int) -> Iterator[Row]:
    """An upgrade of all, and a change of law for those ahead."""
    count, ahead = bench.size(1_000_000, 20_000), bench.size(50_000, 2_000)
    clinic = bench.new(f"zone-change-{name}")
    with clinic.config.open("a", encoding="utf-8") as config:
        config.write(f'\n[database]\nurl = "{url}"\n')
    database = Database(url.replace("sqlite:///", f"sqlite:///{clinic.folder}/"))
    _fill(database, count - ahead, ahead)
    seconds = _timed(clinic)
    done = _ask(database, "SELECT count(*) FROM appointments WHERE local_start IS NOT NULL")
    right = seconds < seconds_allowed and done == count
    goal = f"< {seconds_allowed} s"
    yield Row(f"{name}: upgrade, {count:,} appointments get local times", f"{seconds:.1f} s", "", None, goal, right)
    laws = clinic.folder / "laws"
    _write_law(laws)
    seconds = _timed(clinic, PYTHONTZPATH=str(laws))
    moved = _ask(database, "SELECT kept_local FROM zone_changes")
    right = seconds < 20 and moved == ahead
    yield Row(f"… a law changes, {moved:,} keep their local time", f"{seconds:.1f} s", "", None, "< 20 s", right)
    database.close()


def _fill(database: Database, past: int, ahead: int) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection, connection.begin():
        if not database.is_sqlite:
            connection.exec_driver_sql(TAKE_YOUR_TIME)
        config.attributes.update(connection=connection, clinic=ClinicSettings())
        command.upgrade(config, BEFORE)
        long_ago, instant = TIMES[connection.dialect.name]
        for statement in PEOPLE:
            connection.exec_driver_sql(statement.format(first=1, last=DOCTORS, long_ago=long_ago))
        for number, days, status in ((past, "-400", "completed"), (ahead, "+30", "booked")):
            _add(connection, number, status, long_ago, instant.replace("{days}", days))


def _add(connection: Connection, count: int, status: str, long_ago: str, instant: str) -> None:
    """Half an hour after half an hour, with all doctors at once."""
    start, end = (instant.format(minutes=f"n / {DOCTORS} * 30 + {length}") for length in (0, 30))
    values = {
        "first": 0,
        "last": count - 1,
        "which": f"n - n / {DOCTORS} * {DOCTORS} + 1",
        "status": status,
        "long_ago": long_ago,
    }
    connection.exec_driver_sql(APPOINTMENTS.format(start=start, end=end, **values))


def _ask(database: Database, query: str) -> int:
    with database.engine.connect() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())


def _timed(clinic: Clinic, **environment: str) -> float:
    began = perf_counter()
    run("migrate", "--config", str(clinic.config), **environment)
    return perf_counter() - began


def _write_law(folder: Path) -> None:
    """The clinic's zone takes over the clock of a place that is two hours ahead of UTC all year."""
    file = folder / "Europe" / "Berlin"
    file.parent.mkdir(parents=True)
    file.write_bytes(files("tzdata").joinpath("zoneinfo", "Etc", "GMT-2").read_bytes())
