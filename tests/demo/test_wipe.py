"""A demo clinic is wiped as a whole, while no one has entered anything; a kill leaves it, or an empty database."""

import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError

from service.demo import clinic as demo
from service.demo import wipe
from service.domain.accounts import users
from service.domain.accounts.users import NewUser
from service.domain.foundation import audit, demo_mark, installation
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.privacy import audit_check
from service.storage import database
from service.storage.models import Appointment, AuditEntry, Base, Installation, Patient, User
from tests.house import HASH, House
from tests.process.launching import ROOT, rows, run

SMALL = demo.Size(doctors=1, patients=3, appointments=20)
ADMIN = Actor(Role.ADMIN, "Ines", 1, address="127.0.0.1")


@pytest.fixture
def filled(house: House) -> House:
    """A demo clinic that someone signed in to and looked around in."""
    with house.writing() as session:
        demo.fill(session, house.settings.clinic.zone, SMALL, 1, HASH)
    with house.writing() as session:
        for act in ("session.begin", "patient.view", "export.request"):
            audit.record(session, ADMIN, act, patient_id=1)
    return house


def kept(house: House) -> tuple[int, int, int]:
    return house.count(User), house.count(Patient), house.count(Appointment)


def test_it_is_empty_as_new_afterwards(filled: House) -> None:
    filled.settings.histories.mkdir(parents=True)
    (filled.settings.histories / ("0" * 32)).write_text("made up", encoding="utf-8")
    with filled.reading() as session:
        former = installation.clinic_id(session)
    wipe.wipe(filled.wiring.database, filled.settings)
    for table in Base.metadata.sorted_tables:
        if table.name not in ("installation", "audit_head"):
            with filled.reading() as session:
                assert session.execute(select(table).limit(1)).all() == [], table.name
    with filled.reading() as session:
        assert session.scalars(select(Installation)).one().demo_at is None
        assert re.fullmatch("[0-9a-f]{32}", installation.clinic_id(session))
        assert installation.clinic_id(session) != former, "another clinic begins here"
        assert audit_check.verify(session).entries == 0
        assert users.none_exist(session)
    assert list(filled.settings.histories.iterdir()) == []
    assert filled.user("admin", "ada@clinic.example").user_id == 1
    with pytest.raises(DBAPIError, match="only"), filled.writing() as session:  # the audit's guards are there again
        session.execute(delete(AuditEntry))


def test_a_failure_on_the_way_leaves_the_demo_clinic(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError("the disk is gone")

    before = kept(filled)
    monkeypatch.setattr(database, "_upgrade", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        wipe.wipe(filled.wiring.database, filled.settings)
    assert kept(filled) == before
    with filled.reading() as session:
        assert audit_check.verify(session).entries == 3


def test_what_was_entered_by_hand_is_named_and_never_wiped(filled: House) -> None:
    with filled.writing() as session:
        real = NewUser(Role.RECEPTIONIST, "real@clinic.example", "Real", password_hash=HASH)
        users.add(session, SYSTEM, real, filled.settings.clinic)  # as a command does
    before = kept(filled)
    with filled.reading() as session:
        assert [(one.act, one.count) for one in demo_mark.entered_by_hand(session)] == [("user.add", 1)]
    with pytest.raises(Conflict, match="entered data into the demo clinic"):
        wipe.wipe(filled.wiring.database, filled.settings)
    assert kept(filled) == before


def test_a_real_clinic_is_never_wiped_and_only_the_admin_may(house: House, filled: House) -> None:
    with filled.reading() as session:
        demo_mark.check_may_wipe(session, ADMIN)
        with pytest.raises(Forbidden):
            demo_mark.check_may_wipe(session, Actor(Role.RECEPTIONIST, "Jo", 2))
    with filled.writing() as session:
        session.scalars(select(Installation)).one().demo_at = None
    with pytest.raises(Conflict, match="isn't a demo clinic"):
        wipe.wipe(filled.wiring.database, filled.settings)


WIPE = """
from pathlib import Path
from service.config.settings import load
from service.demo import wipe
from service.wiring import connect
wiring = connect(load(Path("config.toml")), "test")
print("now", flush=True)
wipe.wipe(wiring.database, wiring.settings)
print("done", flush=True)
"""


@pytest.mark.kill
@pytest.mark.parametrize(
    "rounds",
    [2, pytest.param(30, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])],
)
def test_f4_a_kill_leaves_the_demo_clinic_or_an_empty_database(tmp_path: Path, rounds: int) -> None:
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    small = ("--doctors", "1", "--patients", "3", "--appointments", "20", "--password", "slow boats drift home")
    moment = Random()
    assert run(tmp_path, "demo", *small).returncode == 0
    for _turn in range(rounds):
        process = subprocess.Popen(
            [sys.executable, "-c", WIPE], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "now\n"
            try:
                process.wait(moment.uniform(0, 0.5))
            except subprocess.TimeoutExpired:
                process.kill()
        left = rows(
            tmp_path,
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM patients), demo_at IS NULL FROM installation",
        )
        assert left in ([(6, 3, 0)], [(0, 0, 1)])
        assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        if left == [(0, 0, 1)]:
            assert run(tmp_path, "demo", *small).returncode == 0
    assert run(tmp_path, "audit", "verify").returncode == 0
