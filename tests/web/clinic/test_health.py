"""O4: /readyz and /metrics say how the service is, to whom they may, and name no patient."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from service.domain.foundation import installation
from service.health import readiness
from service.storage.models import Installation, Message, Patient
from tests.faults.disks import disk, fill, read_only
from tests.house import House, build
from tests.jobs.conftest import Desk
from tests.services.mail_server import MailServer
from tests.web.frozen_clinic import NOW, PEOPLE, Clinic, email, minutes, opened
from tests.web.reading import one, parsed, words


def asked(house: House, path: str = "/readyz", **more: Any) -> tuple[int, str]:
    answer = house.app.test_client().get(path, **more)
    return answer.status_code, answer.get_data(as_text=True)


def test_o4_a_service_that_works_is_ready_and_says_why(clinic: Clinic) -> None:
    clinic.house.execute(opened(clinic.house, "make_backup"))
    clinic.house.tick(Desk())
    status, text = asked(clinic.house)
    assert status == 200
    assert text.splitlines()[0] == "ready"
    assert [line.split(": ")[:2] for line in text.splitlines()[1:]] == [
        ["ok", "Database"],
        [text.splitlines()[2].split(":")[0], "Disk"],
        ["ok", "Clock"],
        ["ok", "Scheduler"],
        ["ok", "Messages"],
        ["ok", "Backup"],
    ]
    with clinic.house.reading() as session:
        assert session.query(Installation.checked_at).scalar() == NOW, "it writes"


def test_o4_asking_again_and_again_writes_once_in_ten_seconds(clinic: Clinic) -> None:
    written = set()
    for _second in range(31):
        assert "ok: Database" in asked(clinic.house)[1]
        with clinic.house.reading() as session:
            written.add(session.query(Installation.checked_at).scalar())
        clinic.clock.shift(1)
    assert len(written) == 3
    clinic.clock.shift(timedelta(days=-1))
    asked(clinic.house)
    with clinic.house.reading() as session:
        assert session.query(Installation.checked_at).scalar() < NOW, "a clock that was ahead stops nothing"


def test_f28_a_database_that_may_not_be_written_is_not_ready_also_right_after_it_was(
    clinic: Clinic, tmp_path_factory: pytest.TempPathFactory, migrated: object
) -> None:
    with disk(tmp_path_factory.mktemp("disks") / "small", "12m") as small:
        shutil.copy(str(migrated), small / "rounds.db")
        house = build(small)
        assert asked(house)[0] == 200
        house.wiring.database.close()
        with read_only(small):
            status, text = asked(house)
            assert status == 503
            assert "down: Database: " in text
        assert asked(house)[0] == 200
        house.wiring.database.close()


@pytest.mark.parametrize("years", [2, -2])
def test_f18_a_clock_that_is_years_off_is_said_and_the_admin_may_confirm_it(clinic: Clinic, years: int) -> None:
    clinic.house.tick(Desk())
    clinic.clock.shift(timedelta(days=365 * years))
    clinic.house.tick(Desk())
    status, text = asked(clinic.house)
    assert status == 503
    assert f"down: Clock: shows {'Fri, 5 May 2028' if years > 0 else 'Mon, 6 May 2024'}, 10:00" in text
    assert "but Rounds ran last on Wed, 6 May 2026, 10:00" in text
    assert "late: Scheduler: waiting for the clock to be confirmed" in text
    desk, admin = clinic.house.browser(email("receptionist")), clinic.house.browser(email("admin"))
    assert "Tell an administrator" in words(one(parsed(desk.get("/messages")), "[role=alert]"))
    for path in ("/dashboard", "/system", "/jobs", "/messages"):
        assert "Rounds last ran on Wed, 6 May 2026" in words(one(parsed(admin.get(path)), "[role=alert]")), path
    assert desk.post("/system/clock").status_code == 403
    assert admin.post("/system/clock").status_code == 303
    clinic.house.tick(Desk())
    assert "ok: Clock" in asked(clinic.house)[1]
    assert parsed(admin.get("/dashboard")).select_one("[role=alert]") is None
    assert "Confirmed that the clock is right" in words(one(parsed(admin.get("/audit")), "main"))


def test_a_new_clinic_is_told_when_its_first_backup_is_made(clinic: Clinic) -> None:
    with clinic.house.writing() as session:
        session.execute(update(Installation).values(created_at=NOW - timedelta(hours=2)))
    clinic.house.tick(Desk())
    assert "ok: Backup: the first is made at 03:00" in asked(clinic.house)[1]
    assert "OK Backup the first is made at 03:00" in words(one(parsed(clinic.browser("admin").get("/system")), "main"))
    clinic.clock.shift(timedelta(hours=23))
    assert "late: Backup: none was made yet" in asked(clinic.house)[1]


@pytest.mark.parametrize(
    ("sections", "served_at", "said"),
    [
        ({}, "http://127.0.0.1:8000", ""),
        ({}, "http://127.0.0.1:8085", "but Rounds answers at http://127.0.0.1:8085"),
        ({"clinic": {"public_url": "http://localhost:8085"}}, "http://127.0.0.1:8085", ""),
        ({"clinic": {"public_url": "https://rounds.clinic.example"}}, "http://127.0.0.1:8085", ""),
        ({"email": MailServer(port=25).settings()}, "http://127.0.0.1:8000", "which only this computer can open"),
        (
            {"email": MailServer(port=25).settings(), "clinic": {"public_url": "https://rounds.clinic.example"}},
            "http://127.0.0.1:8000",
            "",
        ),
    ],
)
def test_links_that_nobody_can_follow_are_said(
    clinic: Clinic, make_house: Callable[..., House], sections: dict[str, dict[str, Any]], served_at: str, said: str
) -> None:
    house = make_house(**sections)
    with house.writing() as session:
        installation.note_served_at(session, served_at)
    found = [line for line in asked(house)[1].splitlines() if "Links" in line]
    assert len(found) == bool(said)
    assert not said or (found[0].startswith("late: Links: start with http://127.0.0.1:8000, ") and said in found[0])


def test_o4_a_scheduler_that_stands_still_is_not_ready(clinic: Clinic) -> None:
    clinic.house.tick(Desk())
    clinic.clock.shift(110)
    assert asked(clinic.house)[0] == 200
    clinic.clock.shift(15)
    status, text = asked(clinic.house)
    assert (status, text.splitlines()[0]) == (503, "not ready")
    assert "down: Scheduler: has stopped" in text
    clinic.house.tick(Desk())
    assert asked(clinic.house)[0] == 200


@pytest.fixture(autouse=True)
def nothing_waits(clinic: Clinic) -> None:
    """All messages of the clinic have left."""
    with clinic.house.writing() as session:
        session.execute(update(Message).values(status="sent"))


def waiting(clinic: Clinic, **values: object) -> None:
    with clinic.house.writing() as session:
        session.add(
            Message(
                appointment_id=clinic.later,
                patient_id=clinic.pia,
                starts_at=NOW + timedelta(days=1),
                rule="daily_reminder",
                channel="console",
                recipient="pia@clinic.example",
                due_at=NOW,
                lease_until=NOW,
                created_at=NOW,
                **values,
            )
        )


@pytest.mark.parametrize(("late", "status"), [(14, 200), (16, 503)])
def test_o4_a_message_that_should_have_left_a_quarter_of_an_hour_ago_is_not_ready(
    clinic: Clinic, late: int, status: int
) -> None:
    waiting(clinic)
    clinic.clock.shift(minutes(late))
    clinic.house.tick(Desk())
    found, text = asked(clinic.house)
    assert (found, f"{late} minutes ago" in text) == (status, True)


def test_o4_messages_that_are_held_or_paused_wait_on_purpose(clinic: Clinic) -> None:
    waiting(clinic, held_at=NOW)
    clinic.clock.shift(minutes(30))
    clinic.house.tick(Desk())
    assert asked(clinic.house)[0] == 200
    with clinic.house.writing() as session:
        session.execute(update(Message).values(held_at=None))
        session.execute(update(Installation).values(messages_paused_at=NOW))
    assert asked(clinic.house)[0] == 200


def test_o4_three_days_without_a_backup_are_not_ready(clinic: Clinic) -> None:
    clinic.house.tick(Desk())
    assert "late: Backup: none was made yet" in asked(clinic.house)[1]
    clinic.clock.shift(timedelta(days=3, minutes=1))
    clinic.house.tick(Desk())
    assert "down: Backup: none was made yet" in asked(clinic.house)[1]
    clinic.house.execute(opened(clinic.house, "make_backup"))
    assert asked(clinic.house)[0] == 200
    clinic.clock.shift(timedelta(days=3, minutes=1))
    clinic.house.tick(Desk())
    assert "down: Backup: last Sat, 9 May, 10:01" in asked(clinic.house)[1]


@pytest.mark.sqlite("a lock of the file; of PostgreSQL's locks is tests/faults/test_postgresql.py")
def test_f9_a_database_someone_holds_is_not_ready_and_says_so(clinic: Clinic) -> None:
    with closing(sqlite3.connect(clinic.house.settings.base / "rounds.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        status, text = asked(clinic.house)
    assert status == 503
    assert "down: Database: Another program holds the database" in text
    assert asked(clinic.house)[0] == 200


@pytest.mark.sqlite("a disk of the file's own")
def test_o4_a_full_disk_is_not_ready_though_pages_can_be_read(
    clinic: Clinic, tmp_path_factory: pytest.TempPathFactory, migrated: object
) -> None:
    with disk(tmp_path_factory.mktemp("disks") / "small", "12m") as small:
        shutil.copy(str(migrated), small / "rounds.db")
        house = build(small)
        assert asked(house)[0] == 200
        fill(small)
        status, text = asked(house)
        assert status == 503
        assert "down: Disk: full" in text
        (small / "somebody-elses-film").unlink()
        assert asked(house)[0] == 200
        house.wiring.database.close()


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
@pytest.mark.parametrize(
    "more",
    [
        {"environ_base": {"REMOTE_ADDR": "192.168.1.7"}},
        {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}, "headers": {"Host": "192.168.1.2"}},
        {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}, "headers": {"X-Forwarded-For": "203.0.113.9"}},
        {"environ_base": {"REMOTE_ADDR": "192.168.1.7"}, "headers": {"Authorization": "Bearer guess"}},
        {"environ_base": {"REMOTE_ADDR": "192.168.1.7"}, "headers": {"Authorization": "Bearer "}},
    ],
)
def test_o4_others_learn_only_whether_it_is_ready(clinic: Clinic, path: str, more: dict[str, object]) -> None:
    status, text = asked(clinic.house, path, **more)
    assert (status, text) == (200, "ready\n") if path == "/readyz" else status == 403


def test_o4_a_monitor_with_the_token_may_ask_from_elsewhere(clinic: Clinic) -> None:
    house = House(replace(clinic.house.wiring, metrics_token="a long token of the monitor"))
    more: dict[str, Any] = {
        "environ_base": {"REMOTE_ADDR": "192.168.1.7"},
        "headers": {"Authorization": "Bearer a long token of the monitor"},
    }
    assert "Scheduler" in asked(house, **more)[1]
    assert asked(house, "/metrics", **more)[0] == 200


def test_o4_metrics_count_by_route_and_state_and_name_nobody(clinic: Clinic) -> None:
    browser = clinic.browser("receptionist")
    assert browser.get(f"/patients/{clinic.pia}").status_code == 200
    waiting(clinic)
    clinic.house.tick(Desk())
    clinic.house.execute(opened(clinic.house, "make_backup"))
    status, text = asked(clinic.house, "/metrics")
    assert status == 200
    for line in (
        'rounds_messages{status="queued"} 1.0',
        'rounds_http_requests_total{method="GET",route="patients.record",status="200"} 1.0',
        f'rounds_job_done_timestamp_seconds{{job="make_backup"}} {NOW.timestamp():.9e}',
        'rounds_check_ok{check="Scheduler"} 1.0',
    ):
        assert line in text.splitlines() or line.split("} ")[0] in text, line
    with clinic.house.reading() as session:
        names = {name for (name,) in session.query(Patient.name)}
    labels = set(re.findall(r'\w+="([^"]*)"', text))
    assert not labels & names
    assert not [label for label in labels if "@" in label or "/" in label]
    assert not any(person in text for person in PEOPLE if " " in person)


def test_the_heartbeat_is_noted_by_each_tick(house: House) -> None:
    with house.reading() as session:
        assert installation.ticked_at(session) is None
    house.tick(Desk())
    with house.reading() as session:
        assert installation.ticked_at(session) is not None
    assert readiness.is_ready(readiness.checks(house.wiring.database, house.settings))


def test_a_switched_off_backup_is_late_not_down(make_house: Callable[..., House]) -> None:
    house = make_house(backup={"folder": ""})
    found = {check.title: check.state for check in readiness.checks(house.wiring.database, house.settings)}
    assert found["Backup"] == "late"
