"""No migration ends without what the models rely on; what a database lacks of it is named in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import inspect

from service.cli import rounds
from service.storage import database as storage
from service.storage import structure, triggers
from service.storage.database import Database, DatabaseError, migrate, newest_revision, present_revision
from service.storage.models import Base
from tests.process.launching import configure, serving

DOCTORED = '''
"""A revision with a mistake in it."""

from alembic import op
import sqlalchemy as sa

revision = "9000"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade():
    {body}
'''
ANEW = """kept = {{"sqlite_autoincrement": {counts}}}
    with op.batch_alter_table("appointments", recreate="always", table_kwargs=kept) as batch_op:
        batch_op.add_column(sa.Column("doctored", sa.Text(), nullable=True))"""


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives the program one more revision, which does this."""
    folder = tmp_path / "migrations"
    shutil.copytree(storage.MIGRATIONS, folder)

    def doctor(body: str) -> None:
        source = DOCTORED.format(newest=newest_revision(), body=body)
        (folder / "versions" / "9000_doctored.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(storage, "MIGRATIONS", folder)

    return doctor


def do(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def lost(database: Database, *statements: str) -> list[str]:
    """What the database lacks after these statements, which are taken back."""
    with database.engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        found = structure.lacking(connection)
        connection.rollback()
    return found


def run(command: str, url: str, folder: Path) -> Result:
    """A command on a database, without backups."""
    (folder / "config.toml").write_text(f'[database]\nurl = "{url}"\n[backup]\nfolder = ""\n', encoding="utf-8")
    return CliRunner().invoke(rounds, [command, "--config", str(folder / "config.toml")])


def test_a_migrated_database_lacks_nothing(database: Database) -> None:
    migrate(database)
    storage.require_structure(database)


def test_each_trigger_is_missed(database: Database) -> None:
    migrate(database)
    needed = triggers.OF_DIALECT[database.engine.dialect.name]
    on = "DROP TRIGGER {0.name}" if database.is_sqlite else "DROP TRIGGER {0.name} ON {0.table}"
    gone = lost(database, *(on.format(trigger) for trigger in needed))
    assert gone == sorted(f"trigger {trigger.name}" for trigger in needed)


def test_each_index_is_missed(database: Database) -> None:
    migrate(database)
    indexes = [index for table in Base.metadata.sorted_tables for index in table.indexes]
    gone = lost(database, *(f"DROP INDEX {index.name}" for index in indexes))
    assert gone == sorted(f"{'unique ' if index.unique else ''}index {index.name}" for index in indexes)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_each_constraint_of_postgresql_is_missed(database: Database) -> None:
    migrate(database)
    names = {
        (table.name, constraint.name)
        for table in Base.metadata.sorted_tables
        for constraint in table.constraints - {table.primary_key}
    }
    gone = lost(database, *(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name in names))
    assert gone == sorted(f"constraint {name}" for _table, name in names)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_what_a_column_of_postgresql_lost_is_missed(database: Database) -> None:
    migrate(database)
    assert lost(database, "ALTER TABLE users ALTER name DROP NOT NULL") == ["NOT NULL of users.name"]
    assert lost(database, "ALTER TABLE users DROP COLUMN name") == ["NOT NULL of users.name", "column users.name"]
    assert lost(database, "ALTER TABLE audit_head DROP CONSTRAINT pk_audit_head") == ["primary key of audit_head (id)"]
    assert lost(database, "DROP TABLE failures") == ["table failures"]


def test_a_trigger_that_does_nothing_is_missed(database: Database) -> None:
    migrate(database)
    if database.is_sqlite:
        do(database, "DROP TRIGGER audit_no_delete")
        do(database, "CREATE TRIGGER audit_no_delete BEFORE delete ON audit BEGIN SELECT 1; END")
    else:
        do(database, "ALTER TABLE audit DISABLE TRIGGER audit_no_change")
    with pytest.raises(DatabaseError, match=r"relies on: trigger audit_no_(delete|change)\. Restore a backup"):
        storage.require_structure(database)


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("body", "lacks"),
    [
        (
            ANEW.format(counts=True),
            "trigger appointments_block_follows, trigger appointments_no_overlap_insert,"
            " trigger appointments_no_overlap_update",
        ),
        (
            ANEW.format(counts=False),
            "AUTOINCREMENT of appointments, trigger appointments_block_follows, trigger appointments_no_overlap_insert,"
            " trigger appointments_no_overlap_update",
        ),
        (
            'with op.batch_alter_table("exports") as batch_op:\n'
            '        batch_op.drop_constraint(batch_op.f("ck_exports_format"), type_="check")',
            "constraint ck_exports_format",
        ),
        (
            'with op.batch_alter_table("reports") as batch_op:\n'
            '        batch_op.drop_constraint(batch_op.f("uq_reports_doctor_id_month"), type_="unique")',
            "constraint uq_reports_doctor_id_month",
        ),
        (
            'with op.batch_alter_table("sessions") as batch_op:\n'
            '        batch_op.alter_column("browser", existing_type=sa.String(60), nullable=True)',
            "NOT NULL of sessions.browser",
        ),
    ],
)
def test_a_table_that_sqlite_recreated_incompletely_is_refused(
    database: Database, doctor: Callable[[str], None], body: str, lacks: str
) -> None:
    migrate(database)
    before = described(database)
    good = newest_revision()
    doctor(body)
    with pytest.raises(DatabaseError) as refused:
        migrate(database)
    assert str(refused.value) == f"The database lacks what Rounds relies on: {lacks}. Restore a backup that has it."
    assert present_revision(database) == good
    assert described(database) == before


def described(database: Database) -> list[tuple[object, ...]]:
    """The statements by which SQLite made all that is there."""
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name")]


def test_a_revision_that_drops_a_trigger_is_refused_by_the_command(
    database: Database, doctor: Callable[[str], None], tmp_path: Path
) -> None:
    migrate(database)
    good, on = newest_revision(), "" if database.is_sqlite else " ON audit_details"
    doctor(f'op.execute("DROP TRIGGER audit_details_only_emptied{on}")')
    ended = run("migrate", database.engine.url.render_as_string(hide_password=False), tmp_path)
    assert ended.exit_code == 1
    assert "is at revision" not in ended.stdout
    said = "Error: The database lacks what Rounds relies on: trigger audit_details_only_emptied. "
    assert ended.stderr.splitlines()[-1].startswith(said)
    assert present_revision(database) == good
    with database.engine.connect() as connection:
        assert structure.lacking(connection) == []


def test_an_empty_database_is_not_filled_by_half(database: Database, doctor: Callable[[str], None]) -> None:
    doctor('op.drop_index("ix_audit_at", "audit")')
    with pytest.raises(DatabaseError, match=r"relies on: index ix_audit_at\."):
        migrate(database)
    assert present_revision(database) is None
    with database.engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_what_a_database_lost_since_is_said_by_migrate_and_check(database: Database, tmp_path: Path) -> None:
    migrate(database)
    do(database, "DROP INDEX ix_audit_at")
    url = database.engine.url.render_as_string(hide_password=False)
    ended = run("migrate", url, tmp_path)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "index ix_audit_at" in ended.stderr
    ended = run("check", url, tmp_path)
    assert ended.exit_code == 1
    assert "\ndatabase: The database lacks what Rounds relies on: index ix_audit_at." in ended.stdout


def test_a_start_says_it_and_goes_on(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'rounds.db'}")
    migrate(database)
    do(database, "DROP TRIGGER appointments_no_overlap_insert")
    database.close()
    configure(tmp_path)
    with serving(tmp_path) as service:
        assert service.client().get("/livez").status == 200
    assert "trigger appointments_no_overlap_insert" in service.err.read_text(encoding="utf-8")
