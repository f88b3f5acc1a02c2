"""Migrations: an empty database becomes exactly the models, once, wholly or not at all."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine

from service.config.settings import ROOT
from service.storage.database import Database, DatabaseError, created_at, migrate, newest_revision, present_revision
from service.storage.models import Base, Installation


def described(engine: Engine) -> dict[str, Any]:
    """All that a database says of its tables, in an order that does not matter."""
    found = inspect(engine)

    def plain(parts: Any) -> list[str]:
        return sorted(json.dumps(part, default=str, sort_keys=True) for part in parts)

    return {"triggers": plain(triggers_of(engine))} | {
        table: {
            "columns": plain(found.get_columns(table)),
            "key": plain([found.get_pk_constraint(table)]),
            "foreign keys": plain(found.get_foreign_keys(table)),
            "unique": plain(found.get_unique_constraints(table)),
            "checks": plain(found.get_check_constraints(table)),
            "indexes": plain(found.get_indexes(table)),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def triggers_of(engine: Engine) -> list[tuple[str, str]]:
    """Each trigger with the statement that makes it, however that was written."""
    if engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        return [(name, " ".join(made.lower().split())) for name, made in connection.execute(text(query))]


def test_an_empty_database_becomes_the_models(database: Database) -> None:
    assert migrate(database) == newest_revision()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgraded_database_is_what_the_models_would_make(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    migrate(database)
    if database.is_sqlite:
        plain = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    else:
        plain = create_engine(request.getfixturevalue("postgres").empty())
        with plain.begin() as connection:
            connection.execute(text("CREATE EXTENSION btree_gist"))
    Base.metadata.create_all(plain)
    made = described(plain)
    plain.dispose()
    assert described(database.engine) == made


def test_z7_ids_of_people_and_records_are_never_used_again(migrated: Path) -> None:
    with create_engine(f"sqlite:///{migrated}").connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
        connection.engine.dispose()
    kept = {name for name, sql in rows if "AUTOINCREMENT" in sql}
    assert kept == {table.name for table in Base.metadata.tables.values() if table.kwargs.get("sqlite_autoincrement")}
    assert {"users", "patients", "doctors", "appointments", "treatments", "audit"} <= kept


def test_the_database_remembers_when_it_began(database: Database) -> None:
    migrate(database)
    with database.reading() as session:
        assert created_at(session).utcoffset() is not None


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.reading() as session:
        began = created_at(session)
    before = described(database.engine)
    assert migrate(database) == newest_revision()
    with database.reading() as session:
        assert created_at(session) == began
    assert described(database.engine) == before


def test_o6_a_database_of_a_newer_program_is_refused_in_one_line_and_left_alone(database: Database) -> None:
    migrate(database)
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"newer version of Rounds \(revision 9999, this program knows") as refused:
        migrate(database)
    assert "\n" not in str(refused.value)
    assert present_revision(database) == "9999"


def test_f28_a_file_that_is_no_database_is_said_in_one_line_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "rounds.db"
    file.write_bytes(b"these are the doctor's notes\n" * 400)
    before = file.read_bytes()
    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseError, match="damaged") as refused:
        migrate(database)
    database.close()
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == before


def test_f28_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'rounds.db'}")
    with pytest.raises(DatabaseError, match=r"There is no folder .*none") as refused:
        migrate(database)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


MIGRATE_ON_COMMAND = """
import sys
from alembic import command  # imported first, so that all begin at once
from service.storage.database import Database, migrate
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(migrate(database))
"""


def test_o6_processes_that_start_at_once_migrate_once(empty_url: str, database: Database) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_ON_COMMAND, empty_url],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    ends = [(*start.communicate(timeout=60), start.returncode) for start in starts]
    assert ends == [(f"{newest_revision()}\n", "", 0)] * 3
    with database.reading() as session:
        assert session.query(Installation).count() == 1


KILLED_AT_SOME_STATEMENTS = """
import os, sys
from itertools import count
from alembic import command
from sqlalchemy import event
from service.storage.database import Database, migrate

for number in count(1, int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        database, seen = Database(sys.argv[1].replace("NUMBER", str(number))), []

        @event.listens_for(database.engine, "after_cursor_execute")
        def die(_connection, _cursor, statement, *_):
            seen.append(statement)
            if len(seen) == number:
                os._exit(9)

        migrate(database)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(number)
        break
"""


@pytest.mark.parametrize(
    "every",
    [pytest.param(17, id="some"), pytest.param(1, id="each", marks=[pytest.mark.soak, pytest.mark.timeout(900)])],
)
def test_f4_a_migration_that_is_killed_leaves_the_old_or_the_new_and_can_start_again(
    tmp_path: Path, every: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_AT_SOME_STATEMENTS, f"sqlite:///{tmp_path / 'NUMBER.db'}", str(every)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
        timeout=800,
    )
    last = int(ran.stdout)
    assert last > len(Base.metadata.tables), "kills all over it"
    tables = set()
    for number in range(1, last + 1, every):
        database = Database(f"sqlite:///{tmp_path / f'{number}.db'}")
        tables.add(len(inspect(database.engine).get_table_names()))
        assert present_revision(database) == (newest_revision() if number == last else None)
        if number % 10 == 1 or number >= last - 3 * every:
            assert migrate(database) == newest_revision()
            with database.reading() as session:
                created_at(session)
        database.close()
    assert len(tables) == 2, "none or all"
