"""F4, O6: a newer program backs up first, then upgrades whole or not at all, whatever version it finds."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from service.backups import making, restoring, upgrading
from service.backups.errors import BackupError
from service.config.settings import ROOT, Settings
from service.domain.privacy import audit_check
from service.storage.database import Database, DatabaseError, newest_revision, present_revision
from tests.backups import releases
from tests.backups.drill import about, backups
from tests.process.launching import configure, serving
from tests.seed import SEED


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A filled database of every earlier version."""
    return releases.build(tmp_path_factory.mktemp("releases"))


def settings(folder: Path) -> Settings:
    return Settings(base=folder)


def upgraded(folder: Path) -> str:
    database = Database(settings(folder).database_url)
    try:
        return upgrading.migrate(database, settings(folder))
    finally:
        database.close()


def sound(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("revision", releases.EARLIER)
def test_o6_a_filled_database_of_an_earlier_version_is_backed_up_and_upgraded(
    earlier: dict[str, Path], tmp_path: Path, revision: str
) -> None:
    file = Path(shutil.copy(earlier[revision], tmp_path / "rounds.db"))
    before = releases.told(file)
    assert upgraded(tmp_path) == newest_revision()
    assert releases.lost(before, releases.told(file)) == []
    sound(file)
    (kept,) = backups(tmp_path, "*-before-upgrade.zip")
    assert about(kept)["revision"] == revision
    assert about(kept)["counts"]["appointments"] == 200
    with restoring.opened(kept, settings(tmp_path)) as found:
        assert releases.lost(before, releases.told(found.copy)) == []
    database = Database(settings(tmp_path).database_url)
    with database.reading() as session:
        audit_check.verify(session)
    database.close()
    assert upgraded(tmp_path) == newest_revision()
    assert len(backups(tmp_path)) == 1, "where nothing is upgraded nothing is backed up"


def test_o6_a_start_of_a_newer_version_upgrades_and_people_sign_in(earlier: dict[str, Path], tmp_path: Path) -> None:
    shutil.copy(earlier[releases.EARLIER[0]], tmp_path / "rounds.db")
    configure(tmp_path)
    with serving(tmp_path) as service:
        assert service.client().get("/sign-in").status == 200
    assert len(backups(tmp_path, "*-before-upgrade.zip")) == 1


def test_f4_without_room_for_the_backup_nothing_is_upgraded(
    earlier: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(shutil.copy(earlier[releases.EARLIER[-1]], tmp_path / "rounds.db"))

    def full(*_args: object, **_more: object) -> None:
        raise BackupError("The disk has no room for a backup.")

    monkeypatch.setattr(making, "make", full)
    with pytest.raises(DatabaseError, match="was not upgraded because it couldn't be backed up"):
        upgraded(tmp_path)
    database = Database(f"sqlite:///{file}")
    assert present_revision(database) == releases.EARLIER[-1]
    database.close()


def test_an_empty_database_is_made_without_a_backup(tmp_path: Path) -> None:
    assert upgraded(tmp_path) == newest_revision()
    assert not (tmp_path / "backups").exists()


KILLED_AT_SOME_STATEMENTS = """
import os, shutil, sys
from itertools import count
from pathlib import Path
from alembic import command
from sqlalchemy import event
from service.backups import upgrading
from service.storage.database import Database
from service.config.settings import Settings

old, folder = Path(sys.argv[1]), Path(sys.argv[2])
for number in count(int(sys.argv[3]), int(sys.argv[4])):
    here = folder / str(number)
    here.mkdir()
    shutil.copy(old, here / "rounds.db")
    child = os.fork()
    if child == 0:
        settings = Settings(base=here, backup={"folder": ""})
        database, seen = Database(settings.database_url), []

        @event.listens_for(database.engine, "after_cursor_execute")
        def die(_connection, _cursor, statement, *_):
            seen.append(statement)
            if len(seen) == number:
                os._exit(9)

        upgrading.migrate(database, settings)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(number)
        break
"""


@pytest.mark.kill
@pytest.mark.parametrize(
    ("first", "every"),
    [pytest.param(1, 11, id="some"), pytest.param(1 + SEED % 5, 5, id="many", marks=pytest.mark.soak)],
)
def test_f4_an_upgrade_of_a_filled_database_that_is_killed_leaves_the_old_or_the_new(
    earlier: dict[str, Path], tmp_path: Path, first: int, every: int
) -> None:
    old = earlier[releases.EARLIER[0]]
    line = [sys.executable, "-c", KILLED_AT_SOME_STATEMENTS, str(old), str(tmp_path), str(first), str(every)]
    ran = subprocess.run(line, cwd=ROOT, text=True, capture_output=True, check=True)
    last = int(ran.stdout.splitlines()[-1])
    assert last > 40, "many kills"
    before, seen = releases.told(old), set()
    for number in range(first, last + 1, every):
        file = tmp_path / str(number) / "rounds.db"
        database = Database(f"sqlite:///{file}")
        revision = present_revision(database)
        database.close()
        assert revision == (newest_revision() if number == last else releases.EARLIER[0])
        seen.add(revision)
        sound(file)
        assert releases.lost(before, releases.told(file)) == []
    assert upgraded(tmp_path / str(last - every)) == newest_revision()
    assert len(seen) == 2
