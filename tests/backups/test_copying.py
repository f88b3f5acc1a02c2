"""`copy-database`: a clinic on the other database is the same clinic, to the last row and page, or nothing is there."""

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from service.backups import copying
from service.backups.copying import Copied
from service.backups.errors import BackupError
from service.config.settings import Settings, SettingsError
from service.domain.foundation import installation
from service.domain.privacy import audit_check
from service.storage.models import Appointment, Base, Patient
from tests import patience
from tests.house import House, at, build
from tests.patience import until
from tests.process.launching import command, configure, environment, run, sentence, serving
from tests.services.postgres import Postgres
from tests.web.frozen_clinic import NOW, PEOPLE, Clinic
from tests.web.frozen_clinic import a_clinic as a_clinic
from tests.web.frozen_clinic import a_furnished_folder as a_furnished_folder
from tests.web.frozen_clinic import a_moved_clock as a_moved_clock

PAGES = {
    "patient": ("/appointments", "/treatments", "/account"),
    "doctor": ("/today", "/calendar", "/reports", "/patients"),
    "receptionist": ("/today", "/patients", "/doctors", "/waitlist", "/messages", "/time-off"),
    "admin": ("/dashboard", "/jobs", "/audit", "/users"),
}


@pytest.fixture
def database_kind() -> str:
    """Each test begins on SQLite and brings its own PostgreSQL."""
    return "sqlite"


@pytest.fixture
def target(postgres: Postgres) -> Iterator[str]:
    """A migrated PostgreSQL database with nobody in it."""
    url = postgres.migrated()
    yield url
    postgres.wipe(url)


def copied(source: str, target: str) -> list[Copied]:
    named = [Settings().with_database(url) for url in (source, target)]
    with copying.opened(*named) as pair:
        return copying.copy(pair)


def refused(source: str, target: str) -> str:
    with pytest.raises((BackupError, SettingsError)) as error:
        copied(source, target)
    assert "\n" not in str(error.value)
    return str(error.value)


def rows_of(url: str) -> dict[str, int]:
    """How many rows each table has that a new database has none of."""
    engine = create_engine(url)
    with engine.connect() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Base.metadata.sorted_tables
            if table.name not in copying.ONE_ROW
        }
    engine.dispose()
    return {name: rows for name, rows in counted.items() if rows}


def test_every_page_and_row_is_the_same_on_the_other_database_and_back_again(
    clinic: Clinic, target: str, postgres: Postgres, tmp_path: Path
) -> None:
    before = clinic.house
    odd = "Ünïcode 🩺 \\N \\. \t'\"; 你好\r\n" + "x" * 50_000
    with before.writing() as session:
        patient = session.get_one(Patient, clinic.pia)
        patient.allergies, patient.created_at = odd, NOW - timedelta(days=9, microseconds=1)
        clinic_id = installation.clinic_id(session)
    source = before.settings.database_url
    report = copied(source, target)
    assert {row.name: row.rows for row in report if row.rows and row.name not in copying.ONE_ROW} == rows_of(source)
    assert {"patients", "appointments", "treatments", "messages", "audit", "sessions", "exports", "reports"} <= {
        row.name for row in report if row.rows
    }
    after = build(before.settings.base, database={"url": target})
    with after.reading() as session:
        moved = session.get_one(Patient, clinic.pia)
        assert installation.clinic_id(session) == clinic_id
        assert (moved.allergies, moved.created_at) == (odd, NOW - timedelta(days=9, microseconds=1))
        assert audit_check.verify(session).entries > 0
    for person in PEOPLE:
        for path in PAGES.get(person, ()):
            pages = [_page(house, clinic.tokens[person][0], path) for house in (before, after)]
            assert pages[0] == pages[1], (person, path)
    after.wiring.database.close()
    back = f"sqlite:///{tmp_path / 'back.db'}"
    again = copied(target, back)
    unlooked = [row for row in report if row.name not in ("audit", "audit_head", "sessions")]
    assert [row for row in again if row.name in {one.name for one in unlooked}] == unlooked
    assert copied(back, postgres.migrated()) == again


def _page(house: House, token: str, path: str) -> tuple[int, str]:
    browser = house.browser()
    browser.client.set_cookie(browser.cookie_name, token)
    answer = browser.get(path)
    return answer.status_code, answer.get_data(as_text=True)


@pytest.fixture
def small(house: House) -> House:
    """A clinic with a few rows, of which the later ones refer to each other both ways."""
    doctor = house.user("doctor", "ada@clinic.example", "Dr Ada").doctor_id
    mia = house.patient("Mia", email="mia@clinic.example")
    later = house.visit(doctor, mia, at("2026-05-05 08:00"))
    house.visit(doctor, mia, at("2026-05-04 08:00"), status="cancelled", rescheduled_from_id=None)
    with house.writing() as session:
        moved = session.get_one(Appointment, later)
        moved.rescheduled_from_id = later + 1  # refers to a row that is copied after it
    return house


def test_a_row_may_refer_to_a_later_one_and_new_rows_go_on_after_the_old(small: House, target: str) -> None:
    with small.writing() as session:
        session.add(Patient(name="Gone", created_at=NOW))
        session.flush()
        last = session.scalars(select(func.max(Patient.id))).one()
    with small.writing() as session:
        session.delete(session.get_one(Patient, last))
    copied(small.settings.database_url, target)
    new = build(small.settings.base, database={"url": target})
    assert new.patient("Nora") > last - 1
    with new.reading() as session:
        assert session.get_one(Appointment, 1).rescheduled_from_id == 2
        assert session.execute(text("SELECT bool_or(condeferrable) FROM pg_constraint")).scalar() is False
    new.wiring.database.close()


def test_the_database_still_refuses_what_it_should_afterwards(small: House, target: str) -> None:
    copied(small.settings.database_url, target)
    new = build(small.settings.base, database={"url": target})
    visit = {"doctor_id": 1, "patient_id": new.patient("Otto"), "created_at": NOW}
    with pytest.raises(DBAPIError, match="ex_appointments"), new.writing() as session:
        session.add(Appointment(starts_at=at("2026-05-05 08:05"), ends_at=at("2026-05-05 08:10"), **visit))
    with pytest.raises(DBAPIError, match="only appended to"), new.writing() as session:
        session.execute(text("UPDATE audit SET act = 'nothing'"))
    new.wiring.database.close()


def test_a_target_with_rows_is_refused(small: House, target: str) -> None:
    copied(small.settings.database_url, target)
    before = rows_of(target)
    assert "not empty" in refused(small.settings.database_url, target)
    assert rows_of(target) == before


def test_an_older_source_and_one_that_is_not_there_are_refused(small: House, target: str, tmp_path: Path) -> None:
    assert "no database" in refused(f"sqlite:///{tmp_path / 'nowhere.db'}", target)
    assert not (tmp_path / "nowhere.db").exists()
    assert "same database" in refused(target, target)
    assert "TO_URL" in refused(small.settings.database_url, "mysql://clinic")
    with closing(sqlite3.connect(tmp_path / "rounds.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0007'")
    assert "revision 0007" in refused(small.settings.database_url, target)
    assert rows_of(target) == {}


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [("name = 'M' || char(0) || 'a'", "patients, id 1: name holds a NUL"), (f"phone = '{'1' * 999}'", "longer than")],
)
def test_a_text_that_postgresql_cannot_hold_is_named(
    small: House, target: str, tmp_path: Path, spoilt: str, why: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "rounds.db")) as connection, connection:
        connection.execute(f"UPDATE patients SET {spoilt}")
    assert why in refused(small.settings.database_url, target)
    assert rows_of(target) == {}


def test_a_row_that_reads_differently_is_found_out(small: House, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = copying._write
    monkeypatch.setattr(copying, "_write", lambda writing, table, rows: real(writing, table, rows[:1]))
    assert "read differently" in refused(small.settings.database_url, target)
    assert rows_of(target) == {}


def test_the_command_says_what_it_copied_and_refuses_while_the_service_runs(
    small: House, postgres: Postgres, tmp_path: Path
) -> None:
    configure(tmp_path)
    empty = postgres.empty()
    with serving(tmp_path) as service:
        assert service.url in sentence(run(tmp_path, "copy-database", "sqlite:///rounds.db", empty))
    done = run(tmp_path, "copy-database", "sqlite:///rounds.db", empty)
    assert done.returncode == 0, done.stderr
    said = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()[:-1]}
    assert {name: rows for name, rows in said.items() if rows and name not in copying.ONE_ROW} == rows_of(empty)
    configure(tmp_path, f'[database]\nurl = "{empty}"')
    assert run(tmp_path, "audit", "verify").returncode == 0
    postgres.drop(empty)


@pytest.mark.kill
def test_f2_killed_in_the_middle_it_leaves_the_target_empty_and_can_be_begun_again(
    small: House, target: str, tmp_path: Path
) -> None:
    configure(tmp_path)
    watcher = create_engine(target, isolation_level="AUTOCOMMIT")
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    line = command(tmp_path, "copy-database", "sqlite:///rounds.db", target)
    with watcher.connect() as held, watcher.connect() as looking:
        held.execute(text("BEGIN"))
        held.execute(text("LOCK TABLE appointments IN EXCLUSIVE MODE"))
        process = subprocess.Popen(line, env=environment(tmp_path), cwd=tmp_path)
        until(lambda: looking.execute(waiting).scalar())
        process.send_signal(signal.SIGKILL)
        process.wait(patience.SECONDS)
        held.execute(text("ROLLBACK"))
    watcher.dispose()
    assert rows_of(target) == {}
    assert run(tmp_path, *line[2:-2]).returncode == 0
    assert rows_of(target)["appointments"] == 2
