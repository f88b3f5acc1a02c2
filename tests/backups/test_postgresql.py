"""O2 on PostgreSQL: pg_dump makes the backup, it is read back to the last row, and a missing pg_dump is said."""

import shutil
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from service.backups import making, postgresql_copy, restoring
from service.backups.errors import BackupError
from service.database import Database
from service.models import Base, JobRun
from tests.backups.drill import FIRST, small_clinic
from tests.by_hand import opened
from tests.house import House
from tests.postgres import Postgres


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL only."""
    return "postgresql"


@pytest.fixture
def clinic(house: House) -> House:
    """A clinic with visits, and texts that look like the end of a dump."""
    if shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump")
    doctor, lena = small_clinic(house)
    for days in range(5):
        notes = "line one\n\\.\nCOPY public.users (id) FROM stdin;"
        house.treated(doctor, lena, FIRST + timedelta(days=days), notes=notes)
    return house


def counts(url: str) -> dict[str, int]:
    database = Database(url)
    with database.reading() as session:
        tables = Base.metadata.sorted_tables
        found = {table.name: session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}
    database.close()
    return found


def test_o2_a_dump_is_made_read_back_and_can_be_restored_by_its_own_programs(
    clinic: House, postgres: Postgres, tmp_path: Path
) -> None:
    made = making.make(clinic.wiring.database, clinic.settings)
    assert made.as_outcome()["visits"] == 5
    with zipfile.ZipFile(made.file) as packed:
        packed.extract("rounds.dump", tmp_path)
    empty = postgres.empty()
    address = make_url(empty).set(drivername="postgresql").render_as_string(hide_password=False)
    line = ["pg_restore", "--no-owner", "--single-transaction", f"--dbname={address}", str(tmp_path / "rounds.dump")]
    subprocess.run(line, check=True, capture_output=True)
    assert counts(empty) == counts(clinic.settings.database_url) == dict(made.about.counts)
    postgres.drop(empty)


def test_o2_a_dump_with_a_row_too_few_is_no_backup(clinic: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = postgresql_copy.copy

    def copy(*given: Any) -> dict[str, int]:
        return {**real(*given), "patients": 3}

    monkeypatch.setattr(postgresql_copy, "copy", copy)
    with pytest.raises(BackupError, match="does not hold what it should"):
        making.make(clinic.wiring.database, clinic.settings)
    assert list(clinic.settings.backups.iterdir()) == []


def test_without_its_programs_it_is_said_what_to_do(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BackupError, match=r"needs pg_dump.*install PostgreSQL's client programs") as refused:
        making.make(house.wiring.database, house.settings)
    assert "\n" not in str(refused.value)


def test_a_restore_says_how_it_is_done_there(house: House, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="pg_restore --clean"), restoring.opened(tmp_path / "x", house.settings):
        pass


def test_a_nightly_backup_without_programs_says_why(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    run_id = opened(house, "make_backup")
    house.wiring.tasks.execute(run_id)
    with house.reading() as session:
        assert "needs pg_dump" in (session.get_one(JobRun, run_id).last_error or "")
