"""Copy a PostgreSQL database with pg_dump, and verify the dump by counting its rows."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, assert_never

import structlog
from sqlalchemy import Connection, func, inspect, select, table, text
from sqlalchemy.engine import URL

from service.backups import dump_reading
from service.backups.dump_reading import Encoding, Rows, Sequence
from service.backups.errors import BackupError
from service.storage.database import Database

log = structlog.get_logger()
REVISION = "alembic_version"
FOREIGN_KEYS = """
SELECT CAST(CAST(conrelid AS regclass) AS text), quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = CAST(current_schema() AS regnamespace)"""


def copy(database: Database, target: Path, keep: Callable[[], None]) -> dict[str, int]:
    """Dump the database to a file, and return how many rows each table had at that moment."""
    dump = dump_reading.tool("pg_dump")
    with database.reading_long() as session:  # pg_dump may take hours, and its snapshot ends with this session
        snapshot = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        # Only existing tables: before an upgrade, some are still missing.
        present = inspect(session.connection()).get_table_names()
        counted = {
            name: session.execute(select(func.count()).select_from(table(name))).scalar_one()
            for name in sorted(set(present) - {REVISION})
        }
        keep()
        target.touch(mode=0o600)
        line = [dump, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}"]
        _run([*line, _address(database.engine.url)], database.engine.url)
    return counted


def try_out(file: Path, revision: str, expected: Mapping[str, int], keep: Callable[[], None]) -> None:
    """Read a dump to the end, and count its rows. Raises BackupError if something is wrong."""
    found, stands_at = dict.fromkeys(expected, 0), b""
    for part in dump_reading.parts(file, keep):
        if isinstance(part, Rows) and part.table == REVISION:
            stands_at = b"".join(part.lines).strip()
        elif isinstance(part, Rows):
            found[part.table] = found.get(part.table, 0) + sum(1 for _row in part.lines)
    if (stands_at.decode("utf-8", "replace"), found) != (revision, dict(expected)):
        raise BackupError("The dump is incomplete. Use another backup.")


def is_alone(database: Database) -> bool:
    """Return whether we are the only ones connected to the database."""
    others = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    database.close()
    with database.reading() as session:
        found: int = session.execute(text(others)).scalar_one()
    return found == 0


def fill(connection: Connection, file: Path) -> None:
    """Write the rows of a dump into empty tables of the same revision. Raises BackupError.

    The tables come from this program, so a manipulated dump can add rows, but no function, trigger, or command.
    Foreign keys and triggers are off meanwhile.
    """
    tables = _columns(connection)
    keys = connection.execute(text(FOREIGN_KEYS)).all()
    for name, key, _definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT {key}")
    for name in tables:
        connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        connection.exec_driver_sql(f"DELETE FROM {name}")
    for part in dump_reading.parts(file, lambda: None):
        _take(connection, part, tables)
    if connection.exec_driver_sql("SELECT count(*) FROM installation").scalar() != 1:
        raise BackupError("The dump doesn't come from Rounds. Use another backup.")
    for name in tables:
        connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER USER")
    for name, key, definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD CONSTRAINT {key} {definition}")


def _columns(connection: Connection) -> dict[str, set[str]]:
    """Return the columns of each table, except the one that holds the revision."""
    reflected = inspect(connection).get_multi_columns()
    found = {name: {column["name"] for column in columns} for (_schema, name), columns in reflected.items()}
    return {name: columns for name, columns in found.items() if name != REVISION}


def _take(connection: Connection, part: Rows | Sequence | Encoding, tables: Mapping[str, set[str]]) -> None:
    match part:
        case Rows():
            _take_rows(connection, part, tables)
        case Sequence():
            stands = {"name": part.name, "value": part.value, "is_used": part.is_used}
            connection.execute(text("SELECT setval(to_regclass(:name), :value, :is_used)"), stands)
        case Encoding():
            connection.execute(text("SELECT set_config('client_encoding', :name, true)"), {"name": part.name})
        case _:
            assert_never(part)


def _take_rows(connection: Connection, rows: Rows, tables: Mapping[str, set[str]]) -> None:
    if rows.table == REVISION:
        return
    if rows.table not in tables:
        log.warning("not restored: no table of Rounds", table=rows.table)
        return
    if unknown := set(rows.columns) - tables[rows.table]:
        raise BackupError(f"The dump has {rows.table}.{min(unknown)}, which Rounds doesn't have. Use another backup.")
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {rows.table} ({columns}) FROM STDIN") as copy:
            for line in rows.lines:
                copy.write(line)
    except connection.dialect.loaded_dbapi.Error as error:
        raise BackupError(f"The rows of {rows.table} cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _address(url: URL) -> str:
    """Return the database URL without the password, which others could see on the command line."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return f"--dbname={address.replace(' ', '%20')}"


def _run(line: list[str], url: URL) -> None:
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(line, env={**os.environ, **secret}, capture_output=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BackupError(f"{Path(line[0]).name} could not make the backup: {dump_reading.last_line(done.stderr)}")
