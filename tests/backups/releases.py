"""Databases as earlier versions of Rounds left them: filled at the first revision, brought on step by step.

Each table that a later revision adds gets a row when it is new.
"""

import re
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, Connection, Date, DateTime, Integer, MetaData, Table, Time, func, inspect, select
from sqlalchemy.types import JSON

from service.config.settings import Clinic
from service.storage.database import MIGRATIONS, Database, revisions
from tests.services.postgres import Postgres

REVISIONS = revisions()
EARLIER = REVISIONS[:-1]
FIRST = "2025-03-01 08:00:00.000000"
AT_SQLITE = "strftime('%Y-%m-%d %H:%M:%S', '2025-04-01 {}', '+' || (i * 30) || ' minutes') || '.000000'"
AT_SERVER = "timestamptz '2025-04-01 {}' + i * 30 * interval '1 minute'"

FILLING = (
    f"INSERT INTO installation (id, created_at) VALUES (1, '{FIRST}')",
    f"""INSERT INTO users (id, email, name, role, created_at) VALUES
        (1, 'admin@clinic.example', 'Ines', 'admin', '{FIRST}'),
        (2, 'ada@clinic.example', 'Dr Ada', 'doctor', '{FIRST}'),
        (3, 'lena@clinic.example', 'Lena', 'patient', '{FIRST}'),
        (4, 'bo@clinic.example', 'Dr Bo', 'doctor', '{FIRST}')""",
    f"""INSERT INTO doctors (id, user_id, name, created_at) VALUES
        (1, 2, 'Dr Ada', '{FIRST}'), (2, 4, 'Dr Bo', '{FIRST}')""",
    f"""INSERT INTO patients (id, name, email, created_at)
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        SELECT i, 'Łena ' || i, 'p' || i || '@clinic.example', '{FIRST}' FROM n""",
    f"INSERT INTO guardians (user_id, patient_id, created_at) VALUES (3, 1, '{FIRST}')",
    f"""INSERT INTO appointments (id, doctor_id, patient_id, starts_at, ends_at, status, created_at)
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        SELECT i, 1, i, STARTS, ENDS,
        CASE WHEN i % 3 <> 0 THEN 'completed' ELSE 'cancelled' END, '{FIRST}' FROM n""",
    f"""INSERT INTO treatments (id, appointment_id, diagnosis, notes, created_at, updated_at)
        SELECT id, id, 'Finding ' || id, 'line one\nline two', '{FIRST}', '{FIRST}' FROM appointments
        WHERE status = 'completed'""",
    f"""INSERT INTO messages (appointment_id, patient_id, starts_at, rule, channel, recipient, status, due_at,
        lease_until, created_at)
        SELECT id, patient_id, starts_at, 'daily_reminder', 'console', 'p@clinic.example', 'sent', '{FIRST}', '{FIRST}',
        '{FIRST}' FROM appointments""",
    f"INSERT INTO reports (doctor_id, month, content, created_at) VALUES (1, '2025-03', '{{}}', '{FIRST}')",
    f"""INSERT INTO exports (id, patient_id, status, lease_until, created_at)
        VALUES ('0123456789abcdef0123456789abcdef', 1, 'expired', '{FIRST}', '{FIRST}')""",
    f"""INSERT INTO audit (at, user_id, role, act, patient_id)
        SELECT '{FIRST}', 2, 'doctor', 'treatment.record', appointment_id FROM treatments""",
    f"""INSERT INTO job_runs (job, slot, status, "trigger", lease_until, due_at, created_at, finished_at)
        VALUES ('send_daily_reminders', '2025-04-01', 'done', 'schedule',
        '{FIRST}', '{FIRST}', '{FIRST}', '{FIRST}')""",
)


def build(folder: Path) -> dict[str, Path]:
    """A filled SQLite database at every revision there was."""
    files, last = {}, folder / "empty.db"
    for revision in REVISIONS:
        file = folder / f"{revision}.db"
        if last.exists():
            shutil.copy(last, file)
        file.touch(mode=0o600)
        _bring(Database(f"sqlite:///{file}"), revision)
        files[revision] = last = file
    return files


def build_on_server(server: Postgres) -> dict[str, str]:
    """The URL of a filled database on PostgreSQL at every revision there was."""
    urls: dict[str, str] = {}
    url = server.empty()
    for revision in REVISIONS:
        _bring(Database(url), revision)
        urls[revision] = url
        url = server.copy(url)
    return urls


def _bring(database: Database, revision: str) -> None:
    """Bring a database on to the next revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
        with connection.begin():
            if not database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL timezone = 'UTC'")
            config.attributes |= {"connection": connection, "clinic": Clinic()}
            command.upgrade(config, revision)
            if revision == REVISIONS[0]:
                _fill(connection)
            _fill_new_tables(connection)
    database.close()


def _fill(connection: Connection) -> None:
    at = AT_SQLITE if connection.dialect.name == "sqlite" else AT_SERVER
    for statement in FILLING:
        said = statement.replace("STARTS", at.format("08:00:00")).replace("ENDS", at.format("08:15:00"))
        connection.exec_driver_sql(said.replace("%", "%%") if connection.dialect.name != "sqlite" else said)
    if connection.dialect.name != "sqlite":
        for table in inspect(connection).get_table_names():
            columns = {column["name"]: column["type"] for column in inspect(connection).get_columns(table)}
            if isinstance(columns.get("id"), Integer):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) > 0"
                )


SEALED = ("audit_details",)
"""A row here that its audit entry does not know of is a forgery."""


def _fill_new_tables(connection: Connection) -> None:
    """Give each empty table a row that its constraints let in, those first that others refer to."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name not in SEALED and not connection.execute(select(func.count()).select_from(table)).scalar_one():
            connection.execute(table.insert(), _row(connection, table))


def _row(connection: Connection, table: Table) -> dict[str, Any]:
    """Values for all columns that need one, later ones later."""
    first = datetime.fromisoformat(f"{FIRST}+00:00")
    allowed = " ".join(check["sqltext"] for check in inspect(connection).get_check_constraints(table.name))
    values: dict[str, Any] = {}
    for number, column in enumerate(table.columns):
        if column.nullable or column.server_default is not None or (column.primary_key and not column.foreign_keys):
            continue
        at = first + timedelta(hours=number)
        if column.foreign_keys:
            (key,) = column.foreign_keys
            known = connection.scalars(select(key.column).order_by(key.column).limit(2)).all()
            values[column.name] = next(one for one in known if one not in values.values() or len(known) == 1)
        elif isinstance(column.type, DateTime):
            values[column.name] = at if connection.dialect.name != "sqlite" else at.replace(tzinfo=None)
        elif isinstance(column.type, Date):
            values[column.name] = at.date()
        elif isinstance(column.type, Time):
            values[column.name] = at.time()
        elif isinstance(column.type, Boolean):
            values[column.name] = True
        elif isinstance(column.type, Integer):
            values[column.name] = 60 + number
        elif isinstance(column.type, JSON):
            values[column.name] = []
        else:
            choices = re.search(rf"\b{column.name}\b[^']*'(\w+)'", allowed)
            values[column.name] = choices[1] if choices else "2025-03"
    return values


TOLD = (
    "SELECT id, name, email, created_at FROM patients ORDER BY id",
    "SELECT id, doctor_id, patient_id, starts_at, ends_at, status FROM appointments ORDER BY id",
    "SELECT id, appointment_id, diagnosis, notes, created_at FROM treatments ORDER BY id",
    "SELECT id, appointment_id, rule, recipient, status FROM messages ORDER BY id",
    "SELECT id, at, act, patient_id FROM audit ORDER BY id",
    "SELECT job, slot, status FROM job_runs",
    "SELECT id, email, role FROM users ORDER BY id",
)
"""What no upgrade may change: people, visits, treatments, messages, the audit."""


def told(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What a SQLite database holds of it, and how many rows each of its tables has."""
    with closing(sqlite3.connect(file)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {query: connection.execute(query).fetchall() for query in (*TOLD, *_counts(names))}


def told_on_server(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """The same of a database on PostgreSQL."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            query: connection.execute(query.encode()).fetchall()
            for query in (*TOLD, *_counts([name for (name,) in tables]))
        }


def lost(before: dict[str, list[tuple[Any, ...]]], after: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    """The queries that are answered otherwise than before."""
    return [query for query, answer in before.items() if after.get(query) != answer]


def _counts(names: list[str]) -> list[str]:
    return [f'SELECT count(*) FROM "{name}"' for name in sorted(names) if not name.startswith(("sqlite_", "alembic"))]
