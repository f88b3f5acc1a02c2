"""Copy a SQLite database while it is being written to, and verify copies."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from service import disk
from service.backups.errors import BackupError

DAMAGED = "The copy of the database is damaged ({what}): the database may be too. Check the disk, keep older backups."


def copy(source: sqlite3.Connection, target: Path) -> None:
    """Copy a database in one step, so that it's consistent even while others write. Raises sqlite3.Error."""
    disk.new(target).close()
    with closing(sqlite3.connect(target)) as made:
        source.backup(made, pages=-1)  # in steps, it would start over after each write of another process
        made.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, without a log
        made.execute("PRAGMA user_version = 0")  # clear the mark of a running service


def counts(file: Path) -> dict[str, int]:
    """Return the number of rows of each table."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        tables = [name for (name,) in connection.execute(query) if name != "alembic_version"]
        return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def revision(file: Path) -> str:
    """Return the revision of a database; empty if it has none."""
    with closing(sqlite3.connect(file)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        return row[0] if row else ""


def try_out(file: Path, expected_revision: str, expected: Mapping[str, int]) -> None:
    """Open a copy, check its integrity, and count its rows. Raises BackupError if something is wrong."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise BackupError(DAMAGED.format(what=found))
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                raise BackupError(DAMAGED.format(what="rows refer to missing ones"))
        if revision(file) != expected_revision or counts(file) != dict(expected):
            raise BackupError(DAMAGED.format(what="it does not hold what it says"))
    except sqlite3.DatabaseError as error:
        raise BackupError(DAMAGED.format(what=error)) from None
