"""Fixtures: a migrated database to copy, a house, and people of each role."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from service.storage.database import Database, migrate
from tests.house import House, build
from tests.process import launching as process
from tests.services import redis as redis_server
from tests.services.postgres import NotFound, Postgres, running
from tests.services.redis import Redis

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:  # thousands of small databases wait for no disk
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

hypothesis.settings.register_profile("rounds", deadline=None)  # a slow computer is no failure
hypothesis.settings.load_profile("rounds")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "rounds.db"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    with database.engine.connect() as connection:
        began = "'2020-01-01 00:00:00.000000'"
        connection.exec_driver_sql(f"UPDATE installation SET created_at = {began}, zone_chosen_at = {began}")
        connection.commit()
    database.close()
    return file


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server. Without one its tests are skipped, or fail where nothing may be skipped."""
    with ExitStack() as running_server:
        try:
            server = running_server.enter_context(running())
        except NotFound as reason:
            if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
                pytest.fail(f"PostgreSQL is needed: {reason}")
            pytest.skip(f"no PostgreSQL: {reason}")
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """A Redis server. Without one its tests are skipped, or fail where nothing may be skipped."""
    with ExitStack() as running_server:
        try:
            server = running_server.enter_context(redis_server.running())
        except redis_server.NotFound as reason:
            if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
                pytest.fail(f"Redis is needed: {reason}")
            pytest.skip(f"no Redis: {reason}")
        yield server


@pytest.fixture
def database_kind(pytestconfig: pytest.Config) -> str:
    """Which database a test runs on; folders whose tests run on both in one pass say so in their own conftest."""
    return str(pytestconfig.getoption("database"))


@pytest.fixture
def database_url(database_kind: str, migrated: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The clinic's migrated database with no one in it."""
    if database_kind == "sqlite":
        shutil.copy(migrated, tmp_path / "rounds.db")
        yield "sqlite:///rounds.db"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = process.ON_SERVER[tmp_path] = server.migrated()
        yield url
        del process.ON_SERVER[tmp_path]
        server.wipe(url)


@pytest.fixture
def make_house(database_url: str, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds houses with settings of the test's choice, all on one database."""
    houses: list[House] = []

    def make(**sections: dict[str, Any]) -> House:
        houses.append(build(tmp_path, **{"database": {"url": database_url}, **sections}))
        return houses[-1]

    yield make
    for house in houses:
        house.wiring.jobs.stopping.set()
        house.wiring.queue.stop(5)
        house.wiring.database.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """A clinic with the default settings and no one in it."""
    return make_house()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--database postgresql` is the second pass of the suite."""
    parser.addoption("--database", choices=["sqlite", "postgresql"], default="sqlite", help="what tests run on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In CI a missing browser or server is a failure, not a skip. The second pass repeats what touches a database."""
    if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
        for item in items:
            item.user_properties.append(("nothing_skipped", True))
    wanted = _again if config.getoption("database") == "postgresql" else _first
    left_out = [item for item in items if not wanted(item)]
    items[:] = [item for item in items if wanted(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def _first(item: pytest.Item) -> bool:
    """Whether a test belongs to the first pass: all but those that PostgreSQL alone can tell something about."""
    return item.get_closest_marker("postgresql") is None


def _again(item: pytest.Item) -> bool:
    """Whether a test says something new on PostgreSQL: those marked so, and what has a database of either kind.

    Not when it needs no database, chooses its own (as those do that run on both in the first pass), or is marked
    `sqlite` with the reason why.
    """
    if not _first(item):
        return True
    kinds = item._fixtureinfo.name2fixturedefs.get("database_kind", ()) if isinstance(item, pytest.Function) else ()
    return len(kinds) == 1 and item.get_closest_marker("sqlite") is None
