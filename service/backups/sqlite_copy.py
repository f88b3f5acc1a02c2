"""Copies of a SQLite database while others write to it, and the trial a copy has to pass."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from service import disk
from service.backups.errors import BackupError

DAMAGED = "The copy of the database is damaged ({what}): the database may be too. Check the disk, keep older backups."


def copy(source: sqlite3.Connection, target: Path) -> None:
    """Copy a database in one go: one consistent state, however many write meanwhile. Raises sqlite3.Error."""
    disk.new(target).close()
    with closing(sqlite3.connect(target)) as made:
        source.backup(made, pages=-1)  # step by step it would begin anew with each foreign write
        made.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, with no log beside it
        made.execute("PRAGMA user_version = 0")  # the mark of a running service is not the copy's


def counts(file: Path) -> dict[str, int]:
    """How many rows each table has."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        tables = [name for (name,) in connection.execute(query) if name != "alembic_version"]
        return {table: connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in tables}


def revision(file: Path) -> str:
    """The revision a database stands at; empty for none."""
    with closing(sqlite3.connect(file)) as connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
        return row[0] if row else ""


def try_out(file: Path, expected_revision: str, expected: Mapping[str, int]) -> None:
    """Open a copy, check it through and through and count its rows. Raises BackupError when anything is amiss."""
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
