"""A person with everything is merged and erased: all moves, nothing is left, and a kill leaves all or nothing."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from service.config.settings import ROOT
from service.domain.foundation.actor import Actor
from service.domain.patients import merging
from service.domain.privacy import audit_check, erasure
from tests.domain.patients import everything
from tests.house import House


def merge(house: House, desk: Actor, kept: int, other: int) -> None:
    with house.writing() as session:
        merging.merge(session, desk, kept, other_id=other, wait_hours=24)


def erase(house: House, admin: Actor, patient_id: int) -> None:
    with house.writing() as session:
        erasure.erase(session, admin, patient_id, years=5, zone=house.settings.clinic.zone)


def people(house: House) -> tuple[Actor, Actor]:
    """An admin and a doctor."""
    return house.user("admin", "ada@clinic.example"), house.user("doctor", "doll@clinic.example", "Dr. Doll")


def test_i5_all_that_names_the_merged_record_names_the_kept_one(house: House) -> None:
    admin, doctor = people(house)
    kept, other = house.patient("Pia Ahorn"), everything.furnished(house, doctor, 1)
    before = everything.rows_of(house, other)
    assert set(before) == {rule for rule, found in before.items() if found}, "a row in each table that names a patient"
    merge(house, admin, kept, other)
    after = everything.rows_of(house, other)
    assert {name for name, found in after.items() if found} == {"audit"}, "entries stay as they were sealed"
    for name, found in everything.rows_of(house, kept).items():
        assert found >= before[name] or name == "audit", name


def test_o9_nothing_of_a_person_with_everything_is_left(house: House) -> None:
    admin, doctor = people(house)
    kept, other = everything.furnished(house, doctor, 1), everything.furnished(house, doctor, 2)
    merge(house, admin, kept, other)
    assert everything.traces(house, 2) > {"messages.body", "reports.content", "treatments.notes", "users.name"}
    erase(house, admin, kept)
    assert everything.traces(house, 1) | everything.traces(house, 2) == set()
    with house.reading() as session:
        audit_check.verify(session)


KILLED_AT_A_STATEMENT = """
import os, shutil, sys
from itertools import count
from sqlalchemy import event
from zoneinfo import ZoneInfo
from service.domain.foundation.actor import Actor, Role
from service.domain.patients import merging
from service.domain.privacy import erasure
from service.storage.database import Database

file, act, admin, kept, other = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
actor = Actor(Role.ADMIN, "Ada", admin)
for number in count(1):
    copy = file.replace("rounds.db", f"{number}.db")
    shutil.copy(file, copy)
    child = os.fork()
    if child == 0:
        database, seen = Database(f"sqlite:///{copy}"), []

        @event.listens_for(database.engine, "after_cursor_execute")
        def die(_connection, _cursor, statement, *_):
            seen.append(statement)
            if len(seen) == number:
                os._exit(9)

        with database.transaction() as session:
            if act == "merge":
                merging.merge(session, actor, kept, other_id=other, wait_hours=24)
            else:
                erasure.erase(session, actor, kept, years=5, zone=ZoneInfo("Europe/Berlin"))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        print(number)
        break
"""


@pytest.mark.kill
@pytest.mark.sqlite("what a killed transaction leaves on PostgreSQL is the server's own promise")
@pytest.mark.parametrize("act", ["merge", "erase"])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_kill_at_each_statement_leaves_all_or_nothing(house: House, tmp_path: Path, act: str) -> None:
    admin, doctor = people(house)
    first, second = house.patient("Pia Ahorn"), everything.furnished(house, doctor, 1)
    house.wiring.database.close()
    folder = tmp_path / "killed"
    folder.mkdir()
    shutil.copy(tmp_path / "rounds.db", folder / "rounds.db")
    kept = first if act == "merge" else second
    words = [sys.executable, "-c", KILLED_AT_A_STATEMENT, str(folder / "rounds.db"), act]
    ran = subprocess.run(
        [*words, str(admin.user_id), str(kept), str(second)], cwd=ROOT, text=True, capture_output=True, check=True
    )
    last = int(ran.stdout)
    assert last > 20, "kills all over it"
    whole = dump(folder / "rounds.db")
    assert [number for number in range(1, last) if dump(folder / f"{number}.db") != whole] == []
    assert dump(folder / f"{last}.db") != whole


def dump(file: Path) -> str:
    """All that a database holds."""
    connection = sqlite3.connect(file)
    try:
        return "\n".join(connection.iterdump())
    finally:
        connection.close()
