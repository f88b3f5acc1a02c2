"""An empty database of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage.database import Database
from tests.services.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.empty()
        yield url
        server.drop(url)


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """The empty database, opened as the program opens it."""
    opened = Database(empty_url)
    if opened.file is not None:
        opened.file.make()
    yield opened
    opened.close()
