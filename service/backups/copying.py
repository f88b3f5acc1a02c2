"""Copy a clinic to another database, SQLite or PostgreSQL, in one transaction, and compare every row."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, text
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import Session

from service.backups.errors import BackupError
from service.clock import DayTime
from service.config.settings import Settings
from service.storage import database
from service.storage.database import Database
from service.storage.models import Base

TABLES = tuple(Base.metadata.sorted_tables)
ONE_ROW = ("installation", "audit_head")
"""Tables in which every migrated database already has its one row."""
BATCH = 2000
CHECKSUMS = 1 << 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """A source and a target that have been checked."""

    source: Database
    target: Database


@dataclass(frozen=True)
class Copied:
    """A copied table: both sides have this many rows, with this checksum."""

    name: str
    rows: int
    checksum: str


@contextmanager
def opened(source: Settings, target: Settings) -> Iterator[Pair]:
    """Open the two databases without changing anything. Raises BackupError if the source can't be copied."""
    if source.database_url == target.database_url:
        raise BackupError("Both URLs point to the same database.")
    if source.database_file is not None and not source.database_file.is_file():
        raise BackupError(f"There is no database {source.database_file}.")
    made: list[Database] = []
    try:
        for one in (source, target):
            made.append(Database(one.database_url))
        pair = Pair(*made)
        present, newest = database.present_revision(pair.source), database.newest_revision()
        if present != newest:
            raise BackupError(
                f"The source is at revision {present or 'none'}, this program at {newest}: start this version's "
                "`migrate` on it first, or the program that it belongs to."
            )
        yield pair
    finally:
        for database_made in made:
            database_made.close()


def copy(pair: Pair, progress: Progress = lambda _done, _total: None) -> list[Copied]:
    """Upgrade the target to this version, then copy every table in one transaction.

    Nothing may write to the source meanwhile. Raises BackupError if the target isn't empty or a row doesn't fit;
    nothing is copied then.
    """
    database.migrate(pair.target)
    with pair.source.reading_long() as reading, pair.target.transaction() as writing:
        _refuse_used(writing)
        total, done = sum(_count(reading, table) for table in TABLES), 0

        def more(rows: int) -> None:
            nonlocal done
            done += rows
            progress(done, total)

        with _self_references_later(writing):
            copied = [_copy_table(reading, writing, table, more) for table in TABLES]
        for name, highest in _highest_ids(reading).items():
            _go_on_after(writing, name, highest)
    return copied


def size(pair: Pair) -> int:
    """Return how many rows there are to copy."""
    with pair.source.reading() as session:
        return sum(_count(session, table) for table in TABLES)


def _refuse_used(writing: Session) -> None:
    for table in TABLES:
        if table.name not in ONE_ROW and writing.execute(select(table).limit(1)).first() is not None:
            raise BackupError(f"The target is not empty ({table.name} has rows): name a new database.")


def _count(session: Session, table: Table) -> int:
    return session.execute(select(func.count()).select_from(table)).scalar_one()


def _copy_table(reading: Session, writing: Session, table: Table, more: Callable[[int], None]) -> Copied:
    """Copy a table's rows, then read them back. Raises BackupError if they differ."""
    if table.name in ONE_ROW:
        writing.execute(delete(table))
    read = _Checksum()
    for rows in _rows(reading, table):
        read.add(rows)
        _write(writing, table, [dict(row._mapping) for row in rows])
        more(len(rows))
    written = _Checksum()
    for rows in _rows(writing, table):
        written.add(rows)
    if (read.rows, read.value) != (written.rows, written.value):
        raise BackupError(f"The rows of {table.name} read differently after the copy: nothing was copied.")
    return Copied(table.name, read.rows, f"{read.value:064x}")


def _rows(session: Session, table: Table) -> Iterable[list[Row[Any]]]:
    """Return a table's rows in batches, in constant memory."""
    return (list(part) for part in session.execute(select(table).execution_options(yield_per=BATCH)).partitions())


def _write(writing: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    try:
        writing.execute(insert(table), rows)
    except DataError as error:
        raise BackupError(_unfit(table, rows) or database.explain(error)) from None
    except DBAPIError as error:
        raise BackupError(f"A row of {table.name} does not fit. {database.explain(error)}") from None


def _unfit(table: Table, rows: list[dict[str, Any]]) -> str | None:
    """Describe the text that SQLite accepted and PostgreSQL doesn't."""
    for row in rows:
        for column in table.columns:
            value, most = row[column.name], getattr(column.type, "length", None)
            if not isinstance(value, str):
                continue
            which = (
                f"{table.name}, {' '.join(f'{key.name} {row[key.name]}' for key in table.primary_key)}: {column.name}"
            )
            if "\0" in value:
                return f"{which} holds a NUL character, which PostgreSQL cannot store: take it out there first."
            if most is not None and len(value) > most:
                return f"{which} is longer than {most} characters: shorten it there first."
    return None


class _Checksum:
    """A checksum of rows in a form that is the same in both databases, independent of their order."""

    def __init__(self) -> None:
        self.rows, self.value = 0, 0

    def add(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            text = json.dumps(list(row), default=_canonical, sort_keys=True, separators=(",", ":"))
            self.value = (self.value + int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")) % CHECKSUMS
            self.rows += 1


def _canonical(value: date | DayTime) -> str:
    if isinstance(value, DayTime):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat()


@contextmanager
def _self_references_later(writing: Session) -> Iterator[None]:
    """Allow rows to refer to later rows of the same table until the end of the block."""
    if writing.get_bind().dialect.name == "sqlite":
        writing.execute(text("PRAGMA defer_foreign_keys = ON"))
        yield
        return
    own = [
        (table.name, key.name)
        for table in TABLES
        for key in table.foreign_key_constraints
        if key.referred_table is table
    ]
    for table_name, name in own:
        writing.execute(text(f"ALTER TABLE {table_name} ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED"))
    yield
    writing.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    for table_name, name in own:
        writing.execute(text(f"ALTER TABLE {table_name} ALTER CONSTRAINT {name} NOT DEFERRABLE"))


def _highest_ids(reading: Session) -> Mapping[str, int]:
    """Return the highest id each table has ever assigned, so that ids of deleted rows aren't reused."""
    numbered = [table for table in TABLES if _is_numbered(table)]
    highest = {t.name: reading.execute(select(func.max(t.c.id))).scalar() or 0 for t in numbered}
    if reading.get_bind().dialect.name == "sqlite":
        given = text("SELECT name, seq FROM sqlite_sequence")
    else:
        given = text("SELECT replace(sequencename, '_id_seq', ''), last_value FROM pg_sequences WHERE last_value > 0")
    for name, last in reading.execute(given):
        if name in highest:
            highest[name] = max(highest[name], last)
    return highest


def _is_numbered(table: Table) -> bool:
    column = table.autoincrement_column
    return column is not None and column.name == "id" and table.name not in ONE_ROW


def _go_on_after(writing: Session, name: str, highest: int) -> None:
    if writing.get_bind().dialect.name == "sqlite":
        writing.execute(
            text("UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"), {"name": name, "last": highest}
        )
        writing.execute(
            text(
                "INSERT INTO sqlite_sequence (name, seq) SELECT :name, :last WHERE :last > 0 AND EXISTS (SELECT 1 FROM "
                "sqlite_master WHERE name = :name AND sql LIKE '%AUTOINCREMENT%') "
                "AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :name)"
            ),
            {"name": name, "last": highest},
        )
    elif highest:
        writing.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), {"name": name, "last": highest}
        )
