"""The audit cannot be changed without showing: triggers refuse it, and the chain tells where it was done (L2)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
import time_machine
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.cli import rounds
from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.privacy import audit_check
from service.storage.database import MIGRATIONS, Database, migrate
from service.storage.models import AuditDetail, AuditEntry, AuditHead, Failure
from tests.house import House, at

DOCTOR = Actor(Role.DOCTOR, "Dr. Doll", address="192.0.2.7")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Either."""
    kind: str = request.param
    return kind


@pytest.fixture
def filled(house: House) -> House:
    """Ten entries, the fourth with details."""
    patient = house.patient("Pia Ahorn")
    for number in range(1, 11):
        with house.writing() as session:
            changes = audit.changed({"phone": "+4930111"}, {"phone": "+4930222"}) if number == 4 else None
            audit.record(session, DOCTOR, "patient.view", patient_id=patient, subject=f"x/{number}", changes=changes)
    return house


def check(house: House) -> audit_check.Whole:
    with house.reading() as session:
        return audit_check.verify(session)


def unguarded(house: House, change: Callable[[Session], object]) -> None:
    """Do what someone with the database in hand could do: first take the triggers away."""
    with house.writing() as session:
        if house.wiring.database.is_sqlite:
            names = session.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'audit%'")
            )
            for name in names.all():
                session.execute(text(f"DROP TRIGGER {name}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        change(session)


def test_l2_what_was_written_is_whole(filled: House) -> None:
    whole = check(filled)
    assert (whole.entries, whole.last_id, whole.emptied) == (10, 10, 0)
    assert len(whole.seal) == 64


def test_l2_an_empty_audit_is_whole(house: House) -> None:
    assert check(house).entries == 0


@pytest.mark.parametrize("table", [AuditEntry, AuditDetail])
def test_l2_the_database_refuses_to_change_or_remove_an_entry(filled: House, table: type) -> None:
    column = "act" if table is AuditEntry else "salt"
    name = table.__tablename__  # type: ignore[attr-defined]
    statements = [f"UPDATE {name} SET {column} = 'nothing'", f"DELETE FROM {name}"]
    if not filled.wiring.database.is_sqlite:
        statements.append(f"TRUNCATE {name} CASCADE")
    for statement in statements:
        with (
            pytest.raises(DBAPIError, match=r"only appended|only emptied"),
            filled.writing() as session,
        ):
            session.execute(text(statement))
    check(filled)


def test_l2_an_entry_cannot_be_written_over(filled: House) -> None:
    with filled.reading() as session:
        entry = session.execute(select(*AuditEntry.__table__.columns).where(AuditEntry.id == 5)).one()._asdict()
    again = insert(AuditEntry).values({**entry, "act": "nothing"})
    if filled.wiring.database.is_sqlite:
        again = again.prefix_with("OR REPLACE")
    with pytest.raises(DBAPIError), filled.writing() as session:
        session.execute(again)
    check(filled)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", at("2026-05-04 08:00")),
        ("user_id", 1),
        ("role", "admin"),
        ("address", "198.51.100.1"),
        ("act", "patient.change"),
        ("patient_id", None),
        ("subject", "x/99"),
        ("digest", "0" * 64),
        ("seal", "0" * 64),
    ],
)
def test_l2_whatever_is_altered_names_the_first_such_entry(filled: House, column: str, value: object) -> None:
    filled.user("receptionist", "rita@clinic.example")
    unguarded(
        filled,
        lambda session: session.execute(update(AuditEntry).where(AuditEntry.id.in_((6, 8))).values({column: value})),
    )
    with pytest.raises(audit_check.Altered, match=r"^Entry 6\b"):
        check(filled)


def test_l2_an_entry_taken_out_shows_in_the_next(filled: House) -> None:
    unguarded(filled, lambda session: session.execute(delete(AuditEntry).where(AuditEntry.id == 6)))
    with pytest.raises(audit_check.Altered, match=r"^Entry 7 .* entry 5\."):
        check(filled)


def test_l2_entries_taken_off_the_end_show(filled: House) -> None:
    unguarded(filled, lambda session: session.execute(delete(AuditEntry).where(AuditEntry.id > 8)))
    with pytest.raises(audit_check.Altered, match="Entry 8 is the last one found, but entry 10 was written later"):
        check(filled)


def test_l2_an_entry_put_in_shows(filled: House) -> None:
    unguarded(
        filled,
        lambda session: session.execute(
            insert(AuditEntry).values(
                id=11, at=at("2026-05-04 08:00"), role="doctor", act="patient.view", seal="0" * 64
            )
        ),
    )
    with pytest.raises(audit_check.Altered, match=r"^Entry 11\b"):
        check(filled)


@pytest.mark.parametrize("changes", [{"phone": ["+4930111", "+4930333"]}, None])
def test_l2_details_altered_or_emptied_by_hand_show(filled: House, changes: dict[str, object] | None) -> None:
    values = {"changes": changes} if changes else {"changes": None, "salt": None}
    unguarded(filled, lambda session: session.execute(update(AuditDetail).values(values)))
    with pytest.raises(audit_check.Altered, match=r"^Entry 4\b"):
        check(filled)


def test_l2_details_removed_show(filled: House) -> None:
    unguarded(filled, lambda session: session.execute(delete(AuditDetail)))
    with pytest.raises(audit_check.Altered, match=r"^Entry 4\b"):
        check(filled)


def test_an_entry_goes_down_with_its_transaction(filled: House) -> None:
    def fail() -> None:
        with filled.writing() as session:
            audit.record(session, DOCTOR, "patient.view")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert check(filled).entries == 10


def test_an_entry_goes_down_with_its_savepoint_and_no_other(filled: House) -> None:
    with filled.writing() as session:
        audit.record(session, DOCTOR, "first.kept")
        with session.begin_nested() as savepoint:
            audit.record(session, DOCTOR, "second.gone")
            savepoint.rollback()
        with session.begin_nested():
            audit.record(session, DOCTOR, "third.kept")
    with filled.reading() as session:
        acts = session.scalars(select(AuditEntry.act).where(AuditEntry.id > 10).order_by(AuditEntry.id)).all()
    assert acts == ["first.kept", "third.kept"]
    assert check(filled).entries == 12


def test_l1_an_entry_says_who_what_when_whose_and_from_where(house: House) -> None:
    admin, patient = house.user("admin", "ada@clinic.example"), house.patient()
    with time_machine.travel(at("2026-05-04 08:00"), tick=False), house.writing() as session:
        actor = Actor(Role.ADMIN, user_id=admin.user_id, address="2001:db8::7")
        audit.record(session, actor, "patient.view", patient_id=patient, subject="x/1")
    with house.reading() as session:
        row = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert (row.at, row.user_id, row.role) == (at("2026-05-04 08:00"), admin.user_id, "admin")
    assert (row.act, row.patient_id, row.subject, row.address) == ("patient.view", patient, "x/1", "2001:db8::7")


def test_writers_who_meet_make_one_chain(make_house: Callable[..., House]) -> None:
    houses, together = [make_house(), make_house()], Barrier(8)

    def write(hand: int) -> None:
        together.wait()
        for number in range(12):
            with houses[hand % 2].writing() as session:
                audit.record(session, SYSTEM, "job.run", subject=f"{hand}/{number}")
                session.add(Failure(key=f"{hand}", failed_at=at("2026-05-04 08:00") + timedelta(seconds=number)))

    with ThreadPoolExecutor(8) as hands:
        list(hands.map(write, range(8)))
    assert check(houses[0]).entries == 96
    assert houses[0].count(Failure) == 96


def run(house: House, tmp_path: Path) -> Result:
    config = tmp_path / "config.toml"
    config.write_text(f'[database]\nurl = "{house.settings.database.url}"\n')
    return CliRunner().invoke(rounds, ["audit", "verify", "--config", str(config)])


def test_l2_the_command_says_that_all_is_well(filled: House, tmp_path: Path) -> None:
    ended = run(filled, tmp_path)
    assert ended.exit_code == 0
    assert "The audit is whole: 10 entries" in ended.stdout
    assert check(filled).seal in ended.stdout


def test_l2_the_command_names_the_first_altered_entry_in_one_line(filled: House, tmp_path: Path) -> None:
    unguarded(
        filled, lambda session: session.execute(update(AuditEntry).where(AuditEntry.id == 3).values(role="admin"))
    )
    ended = run(filled, tmp_path)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Error: Entry 3 of ")
    assert ended.stderr.count("\n") == 1


def test_entries_from_before_there_were_seals_are_sealed_by_the_upgrade(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_sqlite = database_kind == "sqlite"
    url = f"sqlite:///{tmp_path / 'old.db'}" if is_sqlite else request.getfixturevalue("postgres").empty()
    database, config = Database(url), Config()
    if database.file is not None:
        database.file.make()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        at = "2026-05-04 08:00:00.000001" + ("" if is_sqlite else "+00")
        for number in (1, 2, 5):
            entry = "INSERT INTO audit (id, at, role, act) VALUES (:id, :at, 'admin', 'x')"
            connection.execute(text(entry), {"id": number, "at": at})
    migrate(database)
    with database.transaction() as session:
        audit.record(session, SYSTEM, "y")
    with database.reading() as session:
        whole = audit_check.verify(session)
    database.close()
    assert (whole.entries, whole.last_id) == (4, 6)


def test_l2_the_note_where_it_ends_cannot_be_taken_away_unseen(filled: House) -> None:
    unguarded(filled, lambda session: session.execute(delete(AuditHead)))
    with pytest.raises(audit_check.Altered, match="where the audit log ends was removed"):
        check(filled)
    with filled.writing() as session:  # the next test gets this database again
        session.add(AuditHead(id=1, last_id=0, seal="0" * 64))
