"""O2 on PostgreSQL: pg_dump makes the backup, it is read back to the last row, and a missing pg_dump is said."""

import shutil
import subprocess
import zipfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from service import clock
from service.backups import making, postgresql_copy, restoring
from service.backups.errors import BackupError
from service.storage.database import Database
from service.storage.models import AuditEntry, Base, Installation, JobRun, Patient
from tests.backups.drill import FIRST, backed_up, small_clinic
from tests.house import House
from tests.jobs.by_hand import opened
from tests.process.launching import run, sentence, serving
from tests.services.postgres import Postgres


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


def test_a_dump_of_hours_holds_no_connection_that_is_cut_after_a_minute(clinic: House, tmp_path: Path) -> None:
    held, limits = [], []

    def look() -> None:
        held.append(clinic.wiring.database.engine.pool.checkedout())  # type: ignore[attr-defined]

    postgresql_copy.copy(clinic.wiring.database, tmp_path / "rounds.dump", look)
    with clinic.wiring.database.reading_long() as session:
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            limits.append(session.execute(text(f"SHOW {limit}")).scalar_one())
    assert (held, limits) == ([0], ["0", "0"])


def test_a_server_that_cannot_be_asked_is_said_in_a_sentence(clinic: House) -> None:
    gone = make_url(clinic.settings.database_url).set(database="gone").render_as_string(hide_password=False)
    with closing(Database(gone)) as database, pytest.raises(BackupError, match="database server does not answer"):
        making.make(database, clinic.settings)


def test_o2_a_dump_with_a_row_too_few_is_no_backup(clinic: House, monkeypatch: pytest.MonkeyPatch) -> None:
    real = postgresql_copy.copy

    def copy(*given: Any) -> dict[str, int]:
        return {**real(*given), "patients": 3}

    monkeypatch.setattr(postgresql_copy, "copy", copy)
    with pytest.raises(BackupError, match="dump is incomplete"):
        making.make(clinic.wiring.database, clinic.settings)
    assert list(clinic.settings.backups.iterdir()) == []


def test_without_its_programs_it_is_said_what_to_do(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(BackupError, match=r"needs pg_dump.*install PostgreSQL's client programs") as refused:
        making.make(house.wiring.database, house.settings)
    assert "\n" not in str(refused.value)


@pytest.fixture
def saved(clinic: House, postgres: Postgres, tmp_path: Path) -> Path:
    """A backup of a clinic that nobody else is connected to."""
    clinic.visit(1, 1, clock.now() + timedelta(days=2))
    postgres.close()
    return backed_up(tmp_path)


def test_o3_the_drill_a_clinic_is_as_it_was_and_what_was_there_is_kept(
    clinic: House, saved: Path, tmp_path: Path
) -> None:
    before = counts(clinic.settings.database_url)
    with clinic.writing() as session:
        session.execute(text("UPDATE patients SET name = 'Spoilt'"))
        session.execute(text("CREATE TABLE newer (id int REFERENCES patients)"))
    clinic.patient("Too late")
    clinic.wiring.database.close()
    done = run(tmp_path, "restore", str(saved), "--yes")
    assert done.returncode == 0, done.stderr
    assert "is kept in" in done.stdout
    after = counts(clinic.settings.database_url)
    same = ("patients", "users", "appointments", "treatments", "doctors")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    with clinic.reading() as session:
        assert "Spoilt" not in session.scalars(select(Patient.name)).all()
        assert session.scalars(select(Installation.messages_paused_at)).one() is None
        assert session.execute(text("SELECT to_regclass('newer')")).scalar() is None
        assert session.scalars(select(AuditEntry.act).order_by(AuditEntry.id.desc())).first() == "backup.restore"
    assert run(tmp_path, "audit", "verify").returncode == 0
    clinic.visit(1, 1, clock.now() + timedelta(days=3))  # numbers go on after the highest


def test_o3_while_the_service_runs_nothing_is_restored(clinic: House, saved: Path, tmp_path: Path) -> None:
    clinic.wiring.database.close()
    with serving(tmp_path):
        assert "Stop Rounds" in sentence(run(tmp_path, "restore", str(saved), "--yes"))


def test_o3_a_restore_that_ends_in_the_middle_changes_nothing(clinic: House, saved: Path) -> None:
    def die(_session: object) -> None:
        raise KeyboardInterrupt

    clinic.patient("Too late")
    clinic.wiring.database.close()
    with restoring.opened(saved, clinic.settings) as found, pytest.raises(KeyboardInterrupt):
        restoring.put_in_place(found, clinic.settings, die)
    assert clinic.count(Patient, Patient.name == "Too late") == 1


def test_a_backup_of_the_other_kind_of_database_is_refused(clinic: House, saved: Path, tmp_path: Path) -> None:
    lite = clinic.settings.with_database("sqlite:///other.db")
    with pytest.raises(BackupError, match="names a SQLite file"), restoring.opened(saved, lite):
        pass


def test_a_nightly_backup_without_programs_says_why(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    run_id = opened(house, "make_backup")
    house.execute(run_id)
    with house.reading() as session:
        assert "needs pg_dump" in (session.get_one(JobRun, run_id).last_error or "")
