"""Migrations: an empty database becomes exactly the models, once, wholly or not at all."""

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.clock import DayTime, now
from service.config.settings import ROOT, Clinic
from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM
from service.domain.privacy import audit_check
from service.storage.database import (
    MIGRATIONS,
    Database,
    DatabaseError,
    created_at,
    migrate,
    newest_revision,
    present_revision,
    revisions,
)
from service.storage.models import AuditEntry, Base, DoctorHours, HoursException, Installation, Patient, User
from tests import patience
from tests.seed import SEED


def described(engine: Engine) -> dict[str, Any]:
    """All that a database says of its tables, in an order that does not matter."""
    found = inspect(engine)

    def plain(parts: Any) -> list[str]:
        return sorted(json.dumps(part, default=str, sort_keys=True) for part in parts)

    return {"triggers": plain(triggers_of(engine))} | {
        table: {
            "columns": plain(found.get_columns(table)),
            "key": plain([found.get_pk_constraint(table)]),
            "foreign keys": plain(found.get_foreign_keys(table)),
            "unique": plain(found.get_unique_constraints(table)),
            "checks": plain(found.get_check_constraints(table)),
            "indexes": plain(found.get_indexes(table)),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def triggers_of(engine: Engine) -> list[tuple[str, str]]:
    """Each trigger with the statement that makes it, however that was written."""
    if engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    with engine.connect() as connection:
        return [(name, " ".join(made.lower().split())) for name, made in connection.execute(text(query))]


def at_revision(database: Database, revision: str) -> None:
    """Bring an empty database to a revision of the past."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes |= {"connection": connection, "clinic": Clinic()}
        command.upgrade(config, revision)


def test_an_empty_database_becomes_the_models(database: Database) -> None:
    assert migrate(database) == newest_revision()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgraded_database_is_what_the_models_would_make(
    database: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    migrate(database)
    if database.is_sqlite:
        plain = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    else:
        plain = create_engine(request.getfixturevalue("postgres").empty())
        with plain.begin() as connection:
            connection.execute(text("CREATE EXTENSION btree_gist"))
    Base.metadata.create_all(plain)
    made = described(plain)
    plain.dispose()
    assert described(database.engine) == made


def test_z7_ids_of_people_and_records_are_never_used_again(migrated: Path) -> None:
    with create_engine(f"sqlite:///{migrated}").connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
        connection.engine.dispose()
    kept = {name for name, sql in rows if "AUTOINCREMENT" in sql}
    assert kept == {table.name for table in Base.metadata.tables.values() if table.kwargs.get("sqlite_autoincrement")}
    assert {"users", "patients", "doctors", "appointments", "treatments", "audit"} <= kept


def test_the_database_remembers_when_it_began(database: Database) -> None:
    migrate(database)
    with database.reading() as session:
        assert created_at(session).utcoffset() is not None


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.reading() as session:
        began = created_at(session)
    before = described(database.engine)
    assert migrate(database) == newest_revision()
    with database.reading() as session:
        assert created_at(session) == began
    assert described(database.engine) == before


def test_changes_made_with_a_migration_are_audited_with_it_or_not_at_all(database: Database) -> None:
    def settle(session: Session) -> None:
        audit.record(session, SYSTEM, "zone.change")

    def fail(session: Session) -> None:
        settle(session)
        raise KeyboardInterrupt

    before = revisions()[-2]
    at_revision(database, before)
    with pytest.raises(KeyboardInterrupt):
        migrate(database, settle=fail)
    assert present_revision(database) == before
    migrate(database, settle=settle)
    with database.reading() as session:
        assert session.scalars(select(AuditEntry.act)).all() == ["zone.change"]
        audit_check.verify(session)


def test_o6_a_database_of_a_newer_program_is_refused_in_one_line_and_left_alone(database: Database) -> None:
    migrate(database)
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"newer version of Rounds \(revision 9999, this program knows") as refused:
        migrate(database)
    assert "\n" not in str(refused.value)
    assert present_revision(database) == "9999"


def test_f28_a_file_that_is_no_database_is_said_in_one_line_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "rounds.db"
    file.write_bytes(b"these are the doctor's notes\n" * 400)
    before = file.read_bytes()
    database = Database(f"sqlite:///{file}")
    with pytest.raises(DatabaseError, match="damaged") as refused:
        migrate(database)
    database.close()
    assert "\n" not in str(refused.value)
    assert file.read_bytes() == before


def test_f28_a_missing_folder_is_said_in_one_line(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none' / 'rounds.db'}")
    with pytest.raises(DatabaseError, match=r"There is no folder .*none") as refused:
        migrate(database)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


MIGRATE_ON_COMMAND = """
import sys
from alembic import command  # imported first, so that all begin at once
from service.storage.database import Database, migrate
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(migrate(database))
"""


def test_o6_processes_that_start_at_once_migrate_once(empty_url: str, database: Database) -> None:
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_ON_COMMAND, empty_url],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    ends = [(*start.communicate(timeout=patience.SECONDS), start.returncode) for start in starts]
    assert ends == [(f"{newest_revision()}\n", "", 0)] * 3
    with database.reading() as session:
        assert session.query(Installation).count() == 1


KILLED_AT_SOME_STATEMENTS = """
import os, sys
from itertools import count
from alembic import command
from sqlalchemy import event
from service.storage.database import Database, migrate

for number in count(int(sys.argv[2]), int(sys.argv[3])):
    child = os.fork()
    if child == 0:
        database, seen = Database(sys.argv[1].replace("NUMBER", str(number))), []

        @event.listens_for(database.engine, "after_cursor_execute")
        def die(_connection, _cursor, statement, *_):
            seen.append(statement)
            if len(seen) == number:
                os._exit(9)

        migrate(database)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(number)
        break
"""


@pytest.mark.kill
@pytest.mark.parametrize(
    ("first", "every"),
    [pytest.param(1, 17, id="some"), pytest.param(1 + SEED % 5, 5, id="many", marks=pytest.mark.soak)],
)
def test_f4_a_migration_that_is_killed_leaves_the_old_or_the_new_and_can_start_again(
    tmp_path: Path, first: int, every: int
) -> None:
    url = f"sqlite:///{tmp_path / 'NUMBER.db'}"
    ran = subprocess.run(
        [sys.executable, "-c", KILLED_AT_SOME_STATEMENTS, url, str(first), str(every)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    )
    last = int(ran.stdout)
    assert last > len(Base.metadata.tables), "kills all over it"
    tables = set()
    for turn, number in enumerate(range(first, last + 1, every)):
        database = Database(f"sqlite:///{tmp_path / f'{number}.db'}")
        tables.add(len(inspect(database.engine).get_table_names()))
        assert present_revision(database) == (newest_revision() if number == last else None)
        if turn % 10 == 0 or number >= last - 3 * every:
            assert migrate(database) == newest_revision()
            with database.reading() as session:
                created_at(session)
        database.close()
    assert len(tables) == 2, "none or all"


SENT_BEFORE = (
    "INSERT INTO installation (id, created_at) VALUES (1, '2026-05-04 06:00:00')",
    """INSERT INTO users (id, email, name, role, created_at)
    VALUES (1, 'a@b.example', 'A', 'doctor', '2026-05-04 06:00:00')""",
    "INSERT INTO doctors (id, user_id, name, created_at) VALUES (1, 1, 'A', '2026-05-04 06:00:00')",
    "INSERT INTO patients (id, name, created_at) VALUES (1, 'Lena', '2026-05-04 06:00:00')",
)
VISIT = """INSERT INTO appointments (id, doctor_id, patient_id, starts_at, ends_at, rescheduled_from_id, series_id,
status, created_at) VALUES (:id, 1, 1, :starts_at, :ends_at, :moved, :series, :status, '2026-05-04 06:00:00')"""
TOLD = """INSERT INTO messages (appointment_id, patient_id, starts_at, rule, channel, status, unsure_at, due_at,
lease_until, created_at) VALUES (:visit, 1, '2026-05-11 08:00:00', :rule, :channel, :status, :unsure_at,
'2026-05-04 06:00:00',
'2026-05-04 06:00:00', '2026-05-04 06:00:00')"""


def test_t4_entries_that_were_sent_before_the_clinic_had_an_id_keep_their_uids(database: Database) -> None:
    visits = {  # id: moved from, series
        1: (None, None),  # told
        2: (None, None),  # moved twice, and told of the last move only
        3: (2, None),
        4: (3, None),
        5: (None, 5),  # a series, confirmed with its first appointment
        6: (None, 5),
        7: (None, None),  # only reminded of
        8: (None, None),  # told by SMS
        9: (None, None),  # not told yet
        10: (None, None),  # no one knows whether it was told
        11: (None, None),  # perhaps told, and to be told again
    }
    told = [
        (1, "booking_confirmation", "email", "sent", None),
        (4, "visit_moved", "email", "sent", None),
        (5, "booking_confirmation", "console", "sent", None),
        (7, "daily_reminder", "email", "sent", None),
        (8, "booking_confirmation", "sms", "sent", None),
        (9, "booking_confirmation", "email", "queued", None),
        (10, "visit_cancelled", "email", "unknown", None),
        (11, "visit_restored", "email", "queued", "2026-05-04 06:00:00"),
    ]
    at_revision(database, "0009")
    with database.transaction() as session:
        for statement in SENT_BEFORE:
            session.execute(text(statement))
        for number, (moved, series) in visits.items():
            times = {"starts_at": f"2026-05-{number:02} 08:00:00", "ends_at": f"2026-05-{number:02} 08:15:00"}
            more = {"id": number, "moved": moved, "series": series, "status": "booked"}
            session.execute(text(VISIT), times | more)
        for visit, rule, channel, status, unsure_at in told:
            row = {"visit": visit, "rule": rule, "channel": channel, "status": status, "unsure_at": unsure_at}
            session.execute(text(TOLD), row)
    migrate(database, Clinic(public_url="https://rounds.clinic.example:8443"))
    with database.reading() as session:
        query = text("SELECT id, calendar_uid FROM appointments WHERE calendar_uid IS NOT NULL")
        kept = {number: uid for number, uid in session.execute(query)}  # noqa: C416 - rows are no pairs to mypy
        clinic_id = session.query(Installation.clinic_id).scalar()
    assert kept == {number: f"visit-{number}@rounds.clinic.example" for number in (1, 2, 5, 6, 10, 11)}
    assert re.fullmatch("[0-9a-f]{32}", clinic_id)


OLD_HOURS = (
    *SENT_BEFORE[1:3],
    """INSERT INTO doctor_hours (id, doctor_id, weekday, starts, ends, slot_minutes, valid_until)
    VALUES (4, 1, 6, '07:05:00.000000', '23:59:00.000000', 15, '2026-12-31')""",
    """INSERT INTO hours_exceptions (doctor_id, kind, first_day, last_day, starts, ends, slot_minutes, note, created_at)
    VALUES (1, 'extra', '2026-05-09', '2026-05-09', '00:00:00.000000', '12:30:00.000000', 20, 'Open',
    '2026-05-04 06:00:00')""",
    """INSERT INTO hours_exceptions (doctor_id, kind, first_day, last_day, created_at)
    VALUES (NULL, 'off', '2026-12-24', '2026-12-26', '2026-05-04 06:00:00')""",
    """INSERT INTO hours_exceptions (doctor_id, kind, first_day, last_day, created_at)
    VALUES (1, 'off', '2026-12-24', '2026-12-26', '2026-05-04 06:00:00')""",
    "DELETE FROM hours_exceptions WHERE id = 3",
)


def test_hours_of_before_are_the_same_in_minutes(database: Database) -> None:
    at_revision(database, "0011")
    with database.transaction() as session:
        for statement in OLD_HOURS:
            session.execute(text(statement))
    migrate(database)
    with database.transaction() as session:
        week = session.query(DoctorHours).one()
        assert (week.id, week.weekday, week.slot_minutes, str(week.valid_until)) == (4, 6, 15, "2026-12-31")
        assert (week.starts, week.ends) == (DayTime.at(7, 5), DayTime.at(23, 59))
        opened, closed = session.query(HoursException).order_by(HoursException.id)
        assert (opened.starts, opened.ends, opened.note) == (DayTime.at(0), DayTime.at(12, 30), "Open")
        assert (closed.id, closed.starts, closed.ends, str(closed.last_day)) == (2, None, None, "2026-12-26")
        new = HoursException(kind="off", first_day=closed.first_day, last_day=closed.last_day, created_at=now())
        session.add(new)
        session.flush()
        assert new.id == 4, "no id comes twice"


@pytest.mark.parametrize(("starts", "ends"), [(480, 480), (480, 420), (-1, 60), (1440, 1500), (480, 1921)])
def test_hours_begin_on_their_day_and_last_24_hours_at_most(database: Database, starts: int, ends: int) -> None:
    migrate(database)
    with database.transaction() as session:
        for statement in SENT_BEFORE[1:3]:
            session.execute(text(statement))
    hours = {"starts": DayTime(starts), "ends": DayTime(ends)}
    off = {"kind": "off", "first_day": date(2026, 5, 4), "last_day": date(2026, 5, 4), "created_at": now()}
    for row in (DoctorHours(doctor_id=1, weekday=0, slot_minutes=15, **hours), HoursException(**off, **hours)):
        with pytest.raises(IntegrityError), database.transaction() as session:
            session.add(row)


def test_i1_addresses_of_before_get_their_keys_and_the_doubtful_ones_are_marked(database: Database) -> None:
    stored = {
        "max@strasse.de": ("max@strasse.de", "doubtful"),
        "gross@example.com": ("gross@example.com", "doubtful"),
        "νίκοσ@example.gr": ("νίκοσ@example.gr", "doubtful"),
        "σοφία@example.gr": ("σοφία@example.gr", "folded"),
        "lena@praxis-müller.example": ("lena@xn--praxis-mller-klb.example", "folded"),
        "office@example.com": ("office@example.com", "folded"),
    }
    user = "INSERT INTO users (email, name, role, created_at) VALUES (:email, 'A', 'patient', :at)"
    patient = "INSERT INTO patients (name, email, created_at) VALUES ('A', :email, :at)"
    at_revision(database, "0015")
    with database.transaction() as session:
        for email in stored:
            session.execute(text(user), {"email": email, "at": "2026-05-04 06:00:00"})
            session.execute(text(patient), {"email": email, "at": "2026-05-04 06:00:00"})
        session.execute(text(patient), {"email": None, "at": "2026-05-04 06:00:00"})
    migrate(database)
    with database.reading() as session:
        users = [(row.email, (row.email_key, row.email_form)) for row in session.query(User)]
        patients = [(row.email, (row.email_key, row.email_form)) for row in session.query(Patient)]
        assert dict(users) == stored
        assert patients == [*users, (None, (None, "typed"))]
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(User(email="Max@STRASSE.de", name="Another", role="patient", created_at=now()))


MERGED_BEFORE = (
    *SENT_BEFORE[1:],
    """INSERT INTO patients (id, name, created_at, email, email_allowed, merged_into_id)
    VALUES (2, 'L. Vogt', '2026-05-04 06:00:00', 'lena@mail.example', false, 1)""",
    "UPDATE patients SET email = 'lena@mail.example' WHERE id = 1",
    "INSERT INTO legal_holds (id, patient_id, reason, created_at) VALUES (1, 2, 'A claim', '2026-05-04 06:00:00')",
    """INSERT INTO consent_changes (id, patient_id, channel, allowed, via, changed_at)
    VALUES (1, 2, 'email', true, 'desk', '2026-05-04 06:00:00'),
    (2, 2, 'email', false, 'link', '2026-05-05 06:00:00')""",
)


def test_i5_what_earlier_merges_left_behind_follows_the_person(database: Database) -> None:
    at_revision(database, "0014")
    with database.transaction() as session:
        for statement in MERGED_BEFORE:
            session.execute(text(statement))
    migrate(database)
    with database.reading() as session:
        assert session.execute(text("SELECT patient_id FROM legal_holds")).scalars().all() == [1]
        said = session.execute(text("SELECT patient_id, address FROM consent_changes ORDER BY id")).all()
        assert [tuple(row) for row in said] == [(1, None), (1, "lena@mail.example")]
        allowed = session.execute(text("SELECT email_allowed FROM patients ORDER BY id")).scalars().all()
        assert [bool(one) for one in allowed] == [False, False]
