"""Copies of a PostgreSQL database by its own pg_dump, counted in the same state and read back to the last row."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import func, inspect, select, table, text
from sqlalchemy.engine import URL

from service.backups.errors import BackupError
from service.storage.database import Database

NO_TOOLS = (
    "A backup of PostgreSQL needs {tool}, which is not on this computer: install PostgreSQL's client programs, "
    'or back the server up yourself and set [backup] folder = "".'
)
CLEAR = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
HOLD = "UPDATE public.installation SET messages_paused_at = coalesce(messages_paused_at, 'epoch')"
SEND_AGAIN = "UPDATE installation SET messages_paused_at = NULL WHERE messages_paused_at = 'epoch'"
"""A restored state is paused from its first moment on: whatever cuts a restore off, no old message leaves."""
_copied = re.compile(r'COPY public\."?(\w+)"? ').match


def copy(database: Database, target: Path, keep: Callable[[], None]) -> dict[str, int]:
    """Dump the database to a file; returns how many rows each table had in the state that was dumped."""
    dump = _tool("pg_dump")
    with database.reading() as session:
        snapshot = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        # The tables that are there: before an upgrade some of ours are not yet.
        present = inspect(session.connection()).get_table_names()
        counted = {
            name: session.execute(select(func.count()).select_from(table(name))).scalar_one()
            for name in sorted(set(present) - {"alembic_version"})
        }
        keep()
        target.touch(mode=0o600)
        line = [dump, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}"]
        _run([*line, _address(database.engine.url)], database.engine.url)
    return counted


def try_out(file: Path, expected: Mapping[str, int], keep: Callable[[], None]) -> None:
    """Read a dump to its last row and count what it holds. Raises BackupError when anything is amiss."""
    line = [_tool("pg_restore"), "--data-only", "--file=-", str(file)]
    found, reading_of = dict.fromkeys(expected, 0), ""
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:  # noqa: S603
        assert reading.stdout is not None
        for row in reading.stdout:
            if reading_of and row != b"\\.\n":
                found[reading_of] = found.get(reading_of, 0) + 1
                continue
            begun = None if reading_of else _copied(row.decode("utf-8", "replace"))
            reading_of = begun[1] if begun else ""
            keep()
        _out, said = reading.communicate()
    found.pop("alembic_version", None)
    if reading.returncode != 0 or found != dict(expected):
        raise BackupError(f"The dump cannot be read back, or does not hold what it should. {_last_line(said)}")


def is_alone(database: Database) -> bool:
    """Whether nobody else is connected to the database."""
    others = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid()"""
    database.close()
    with database.reading() as session:
        found: int = session.execute(text(others)).scalar_one()
    return found == 0


def put_in_place(database: Database, file: Path) -> None:
    """Put a dump in the place of all there is, in one transaction; then no message is sent until SEND_AGAIN is said.

    Raises BackupError with nothing changed.
    """
    url, plain = database.engine.url, file.with_suffix(".sql")
    plain.touch(mode=0o600)
    read = [_tool("pg_restore"), "--no-owner", "--no-privileges", "--no-comments", f"--file={plain}", str(file)]
    _run(read, url, "read the backup")
    database.close()
    how = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    steps = ["--command", CLEAR, "--file", str(plain), "--command", HOLD]
    _run([_tool("psql"), *how, *steps, _address(url)], url, "put the backup in place")
    plain.unlink()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupError(NO_TOOLS.format(tool=name))
    return found


def _address(url: URL) -> str:
    """The database's address for PostgreSQL's programs, without the password, which others could read off the line."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return f"--dbname={address.replace(' ', '%20')}"


def _run(line: list[str], url: URL, what: str = "make the backup") -> None:
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    done = subprocess.run(line, env={**os.environ, **secret}, capture_output=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BackupError(f"{Path(line[0]).name} could not {what}: {_last_line(done.stderr)}")


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
