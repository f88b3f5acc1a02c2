"""The file of a SQLite database: every connection is to the one that was opened first."""

import shutil
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import text

from service.storage.database import Database, DatabaseLost
from service.storage.database_file import Loss

pytestmark = pytest.mark.sqlite("the file of a SQLite database")


def test_h12_a_connection_is_never_made_to_a_file_that_took_the_place_of_the_database(
    migrated: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated, tmp_path / "rounds.db")
    with closing(Database(f"sqlite:///{tmp_path}/rounds.db")) as database, ExitStack() as busy:
        busy.enter_context(database.reading()).execute(text("SELECT 1"))
        (tmp_path / "rounds.db").rename(tmp_path / "old.db")
        shutil.copy(migrated, tmp_path / "rounds.db")
        before = (tmp_path / "rounds.db").read_bytes()
        with pytest.raises(DatabaseLost) as found, database.reading() as another:
            another.execute(text("SELECT 1"))
    assert found.value.loss is Loss.REPLACED
    assert (tmp_path / "rounds.db").read_bytes() == before
