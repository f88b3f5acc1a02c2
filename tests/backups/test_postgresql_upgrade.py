"""F4, O6 on PostgreSQL: a filled clinic of any earlier version is backed up, upgraded wholly or not, and restored."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from service.backups import restoring, upgrading
from service.config.settings import ROOT, Settings
from service.domain.privacy import audit_check
from service.storage.database import Database, migrate, newest_revision
from tests.backups import releases
from tests.backups.drill import about, backups
from tests.services.postgres import Postgres
from tests.storage.test_migrations import described

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def earlier(postgres: Postgres) -> dict[str, str]:
    """The URL of a filled database of every version."""
    return releases.build_on_server(postgres)


@pytest.fixture(scope="module")
def fresh(postgres: Postgres) -> dict[str, object]:
    """What a new database says of its tables."""
    database = Database(postgres.empty())  # one that no service was started with: that adds an index
    migrate(database)
    says = described(database.engine)
    database.close()
    return says


def upgraded(url: str, folder: Path) -> str:
    with closing(Database(url)) as database:
        return upgrading.migrate(database, Settings(base=folder).with_database(url))


def assert_whole(url: str, fresh: dict[str, object]) -> None:
    """The tables are those of a new database, the audit is whole, and ids go on after the highest."""
    with closing(Database(url)) as database:
        assert described(database.engine) == fresh
        with database.reading() as session:
            audit_check.verify(session)
    with psycopg.connect(url.replace("+psycopg", "")) as server, server.transaction(force_rollback=True):
        made = server.execute(
            "INSERT INTO patients (name, folded_name, created_at) VALUES ('New', 'new', now()) RETURNING id"
        )
        new = made.fetchone()
    assert new is not None
    assert new[0] > 200


@pytest.mark.parametrize("revision", releases.EARLIER)
def test_o6_a_filled_clinic_of_an_earlier_version_is_backed_up_upgraded_and_restored(
    earlier: dict[str, str], fresh: dict[str, object], postgres: Postgres, tmp_path: Path, revision: str
) -> None:
    url = postgres.copy(earlier[revision])
    before = releases.told_on_server(url)
    for _twice in range(2):
        assert upgraded(url, tmp_path) == newest_revision()
        assert releases.lost(before, releases.told_on_server(url)) == []
        assert_whole(url, fresh)
    (kept,) = backups(tmp_path, "*-before-upgrade.zip")
    assert about(kept)["revision"] == revision
    settings = Settings(base=tmp_path).with_database(url)
    with psycopg.connect(url.replace("+psycopg", "")) as server:
        server.execute("UPDATE patients SET name = 'Spoilt'")
    with restoring.opened(kept, settings) as found:
        restoring.put_in_place(found, settings, lambda _session: None)
    assert releases.lost(before, releases.told_on_server(url)) == []
    assert_whole(url, fresh)
    postgres.drop(url)


KILLED_AT_SOME_STATEMENTS = """
import os, sys
from itertools import count
from pathlib import Path
from alembic import command
from sqlalchemy import event
from service.backups import upgrading
from service.storage.database import Database
from service.config.settings import Settings

url, folder, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
for number in count(1, every):
    child = os.fork()
    if child == 0:
        settings = Settings(base=folder, database={"url": url}, backup={"folder": ""})
        database, seen = Database(url), []

        @event.listens_for(database.engine, "after_cursor_execute")
        def die(_connection, _cursor, statement, *_):
            seen.append(statement)
            if len(seen) == number:
                os._exit(9)

        upgrading.migrate(database, settings)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    database = Database(url)
    with database.engine.connect() as connection:
        print("ended", ended, connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar())
    database.close()
    if ended == 0:
        break
"""


@pytest.mark.kill
@pytest.mark.parametrize(
    "every",
    [pytest.param(37, id="some"), pytest.param(1, id="each", marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_f4_an_upgrade_that_is_killed_again_and_again_leaves_the_old_and_the_last_one_finishes(
    earlier: dict[str, str], fresh: dict[str, object], postgres: Postgres, tmp_path: Path, every: int
) -> None:
    first = releases.EARLIER[0]
    url = postgres.copy(earlier[first])
    before = releases.told_on_server(url)
    line = [sys.executable, "-c", KILLED_AT_SOME_STATEMENTS, url, str(tmp_path), str(every)]
    ran = subprocess.run(line, cwd=ROOT, text=True, capture_output=True, check=True, timeout=1700)
    *killed, last = [line for line in ran.stdout.splitlines() if line.startswith("ended ")]
    assert len(killed) > 3, "many kills"
    assert set(killed) == {f"ended 9 {first}"}
    assert last == f"ended 0 {newest_revision()}"
    assert releases.lost(before, releases.told_on_server(url)) == []
    assert_whole(url, fresh)
    postgres.drop(url)
