"""Databases as earlier versions of Rounds left them: filled at the first revision, brought on step by step."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config

from service.config.settings import Clinic
from service.storage.database import MIGRATIONS, Database

REVISIONS = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
EARLIER = REVISIONS[:-1]
FIRST = "2025-03-01 08:00:00.000000"
AT = "strftime('%Y-%m-%d %H:%M:%S', '2025-04-01 {}', '+' || (i * 30) || ' minutes') || '.000000'"

FILLING = (
    f"INSERT INTO installation (id, created_at) VALUES (1, '{FIRST}')",
    f"""INSERT INTO users (id, email, name, role, created_at) VALUES
        (1, 'admin@clinic.example', 'Ines', 'admin', '{FIRST}'),
        (2, 'ada@clinic.example', 'Dr Ada', 'doctor', '{FIRST}'),
        (3, 'lena@clinic.example', 'Lena', 'patient', '{FIRST}')""",
    f"INSERT INTO doctors (id, user_id, name, created_at) VALUES (1, 2, 'Dr Ada', '{FIRST}')",
    f"""INSERT INTO patients (id, name, email, created_at)
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        SELECT i, 'Łena ' || i, 'p' || i || '@clinic.example', '{FIRST}' FROM n""",
    f"INSERT INTO guardians (user_id, patient_id, created_at) VALUES (3, 1, '{FIRST}')",
    f"""INSERT INTO appointments (id, doctor_id, patient_id, starts_at, ends_at, status, created_at)
        WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        SELECT i, 1, i, {AT.format("08:00:00")}, {AT.format("08:15:00")},
        CASE WHEN i % 3 THEN 'completed' ELSE 'cancelled' END, '{FIRST}' FROM n""",
    f"""INSERT INTO treatments (id, appointment_id, diagnosis, notes, created_at, updated_at)
        SELECT id, id, 'Finding ' || id, 'line one' || char(10) || 'line two', '{FIRST}', '{FIRST}' FROM appointments
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
    """A filled database at every revision there was."""
    config, files, last = Config(), {}, folder / "empty.db"
    config.set_main_option("script_location", str(MIGRATIONS))
    for revision in REVISIONS:
        file = folder / f"{revision}.db"
        if last.exists():
            shutil.copy(last, file)
        file.touch(mode=0o600)
        database = Database(f"sqlite:///{file}")
        with database.engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
            with connection.begin():
                config.attributes |= {"connection": connection, "clinic": Clinic()}
                command.upgrade(config, revision)
                for statement in FILLING if revision == REVISIONS[0] else ():
                    connection.exec_driver_sql(statement)
        database.close()
        files[revision] = last = file
    return files


def told(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """What no upgrade may change: people, visits, treatments, messages, the audit."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            query: connection.execute(query).fetchall()
            for query in (
                "SELECT id, name, email, created_at FROM patients ORDER BY id",
                "SELECT id, doctor_id, patient_id, starts_at, ends_at, status FROM appointments ORDER BY id",
                "SELECT id, appointment_id, diagnosis, notes, created_at FROM treatments ORDER BY id",
                "SELECT id, appointment_id, rule, recipient, status FROM messages ORDER BY id",
                "SELECT id, at, act, patient_id FROM audit ORDER BY id",
                "SELECT job, slot, status FROM job_runs",
                "SELECT id, email, role FROM users ORDER BY id",
            )
        }
