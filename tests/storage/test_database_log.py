"""The log beside a SQLite database: what other programs may do to it, and what they may not."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from service.storage.database import Database, DatabaseLost
from service.storage.database_file import Loss

pytestmark = pytest.mark.sqlite("the log of a SQLite database")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with a table to fill, whose log is not empty."""
    made = Database(f"sqlite:///{tmp_path}/rounds.db")
    assert made.file is not None
    made.file.make()
    with made.transaction() as session:
        session.execute(text("CREATE TABLE ballast (bytes BLOB)"))
    yield made
    made.close()


def write(database: Database, rows: int) -> None:
    """So many changes, each committed; every third one needs more than a page."""
    for number in range(rows):
        with database.transaction() as session:
            session.execute(text("INSERT INTO ballast VALUES (zeroblob(:size))"), {"size": 9000 if number % 3 else 10})


def test_h12_another_program_may_bring_the_log_into_the_file_at_any_moment(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "rounds.db", timeout=30)) as other, ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, database, 100) for _two in range(2)]
        while not all(writer.done() for writer in writers):
            for how in ("TRUNCATE", "RESTART", "PASSIVE"):
                other.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        for writer in writers:
            writer.result()
        assert other.execute("SELECT count(*) FROM ballast").fetchall() == [(200,)]
    database.require_present()


def test_h12_a_log_that_is_cut_by_a_byte_is_noticed_before_the_next_change_is_committed(
    database: Database, tmp_path: Path
) -> None:
    write(database, 3)
    log = tmp_path / "rounds.db-wal"
    os.truncate(log, log.stat().st_size - 1)
    with pytest.raises(DatabaseLost) as found:
        write(database, 1)
    assert found.value.loss is Loss.LOG_CUT
