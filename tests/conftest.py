"""Fixtures: a migrated database to copy, a house, and people of each role."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.database import Database, migrate
from tests.house import House, build


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "rounds.db"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE installation SET created_at = '2020-01-01 00:00:00.000000'")
        connection.commit()
    database.close()
    return file


@pytest.fixture
def make_house(migrated: Path, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Builds houses with settings of the test's choice, all on one database file."""
    houses: list[House] = []

    def make(**sections: dict[str, Any]) -> House:
        file = tmp_path / "rounds.db"
        if not file.exists():
            shutil.copy(migrated, file)
        houses.append(build(tmp_path, **sections))
        return houses[-1]

    yield make
    for house in houses:
        house.wiring.tasks.stopping.set()
        house.wiring.queue.stop(5)
        house.wiring.database.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    """A clinic with the default settings and nobody in it."""
    return make_house()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In CI a missing browser or server is a failure, not a skip."""
    if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
        for item in items:
            item.user_properties.append(("nothing_skipped", True))
