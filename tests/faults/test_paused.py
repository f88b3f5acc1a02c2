"""One of two web processes stands still in the middle of something: the other works on, and nothing is done twice."""

import json
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import time_machine

from tests.faults.clinic import big_history, booked_morning, part_files
from tests.faults.signalled import LEAVING, Then
from tests.house import PASSWORD, House
from tests.patience import until
from tests.process.launching import Client, Service, jump, rows
from tests.server.test_several import EVE, NOW, Several, moved
from tests.server.test_several import server as server
from tests.server.test_several import several as several
from tests.services.mail_server import MailServer

pytestmark = [pytest.mark.postgresql, pytest.mark.kill]

Pause = Callable[..., tuple[Service, Service]]
RITA = "rita@clinic.example"
BOOKING, OUTCOMES = "service.domain.appointments.booking", "service.domain.appointments.outcomes"
ACTS = {
    "book": (
        f"{BOOKING}:book",
        "/appointments",
        {"patient_id": "1", "doctor_id": "1", "starts_at": "2026-05-05T10:00"},
        "SELECT count(*) FROM appointments WHERE patient_id = 1 AND starts_at = '2026-05-05 08:00+00'",
    ),
    "move": (
        f"{BOOKING}:reschedule",
        "/appointments/1/reschedule",
        {"starts_at": "2026-05-06T10:00"},
        "SELECT count(*) FROM appointments WHERE starts_at = '2026-05-06 08:00+00'",
    ),
    "cancel": (
        f"{OUTCOMES}:cancel",
        "/appointments/1/cancellation",
        {"reason": "Well again"},
        "SELECT count(*) FROM audit WHERE act = 'appointment.cancel'",
    ),
}
OTHER_BOOKING = {"patient_id": "2", "doctor_id": "2", "starts_at": "2026-05-05T10:00"}
IDLE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""
"""What the server does itself after a minute."""
AT_WORK = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND backend_type = 'client backend' AND state <> 'idle'"""
LEASES_ARE_OVER = timedelta(minutes=5)


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL: SQLite lets only one process serve."""
    return "postgresql"


@pytest.fixture
def pause(several: Several, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pause]:
    """Starts both; the first one stands still at a step of a function. At the end it goes on, to be stopped."""
    paused: list[Service] = []

    def start(function: str, at: int, when: datetime = NOW) -> tuple[Service, Service]:
        count = str(several.exports.parent / "steps")
        monkeypatch.setenv("TEST_SIGNAL", json.dumps([function, at, signal.SIGSTOP, Then.GOES_ON, count]))
        paused.append(several.start_one(0, when))
        monkeypatch.delenv("TEST_SIGNAL")
        return paused[0], several.start_one(1, when)

    yield start
    for service in paused:
        service.process.send_signal(signal.SIGCONT)


def stands_still(service: Service) -> bool:
    """Whether a process is stopped by a signal."""
    status = Path(f"/proc/{service.process.pid}/stat").read_text(encoding="utf-8")
    return status.rpartition(")")[2].split()[0] == "T"


def given_up(url: str) -> None:
    """End the transactions that wait for a process that stands still, as the server does after a minute."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute(IDLE)


def rest(url: str, folder: Path) -> None:
    """Wait until the jobs of the start are done: what they lock is held too while a process stands still."""
    until(lambda: rows(folder, "SELECT 1 FROM job_runs"))
    until(lambda: not rows(folder, "SELECT 1 FROM job_runs WHERE status <> 'done'"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        until(lambda: all(server.execute(AT_WORK).fetchone() == (0,) for _look in range(300)))


def count(folder: Path, query: str) -> int:
    ((found,),) = rows(folder, query)
    return int(found)


@pytest.fixture
def desk(house: House) -> None:
    """Two doctors, two patients, and a visit on Friday."""
    with time_machine.travel(NOW):
        for name in ("ada", "bo"):
            house.hours(house.user("doctor", f"{name}@clinic.example", f"Dr {name}").doctor_id)
        house.user("receptionist", RITA, "Rita")
        eve = house.patient("Eve")
        house.patient("Otto")
        house.visit(1, eve, NOW + timedelta(days=4))


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("at", [1, LEAVING], ids=["at its beginning", "with all it locks"])
def test_f11_an_act_of_a_process_that_stands_still_holds_up_no_other_and_is_done_once(
    several: Several,
    pause: Pause,
    desk: None,
    database_url: str,
    name: str,
    at: int,
) -> None:
    function, path, form, done = ACTS[name]
    one, two = pause(function, at)
    rita = one.client(RITA)
    rita.token()
    other: Client = moved(rita, two)
    rest(database_url, several.folders[1])
    finish = rita.begin_post(path, form)
    until(lambda: stands_still(one))
    assert other.get("/today").status == 200
    assert other.post("/appointments", OTHER_BOOKING).status == 303
    pressed = other.post(path, form).status
    if at == LEAVING:
        assert pressed == 503  # what it is about is held, and five seconds are enough to wait
        assert count(several.folders[1], done) == 0
        given_up(database_url)
        pressed = other.post(path, form).status
    assert pressed == 303
    one.process.send_signal(signal.SIGCONT)
    assert finish().status == (503 if at == LEAVING else 303)  # its own was given up; or it is the same, and once
    assert rita.post(path, form).status == 303
    assert count(several.folders[1], done) == 1
    several.stop()


def test_f11_an_act_that_goes_on_in_time_is_done_and_who_waited_for_it_sees_it(
    several: Several, pause: Pause, desk: None
) -> None:
    function, path, form, done = ACTS["book"]
    one, two = pause(function, LEAVING)
    rita = one.client(RITA)
    rita.token()
    other = moved(rita, two)
    finish = rita.begin_post(path, form)
    until(lambda: stands_still(one))
    assert other.post(path, form).status == 503
    one.process.send_signal(signal.SIGCONT)
    assert finish().status == 303
    assert other.post(path, form).status == 303
    assert count(several.folders[1], done) == 1
    several.stop()


def test_f11_a_process_that_stands_still_while_it_seals_the_audit_is_given_up(
    several: Several, pause: Pause, desk: None, database_url: str
) -> None:
    one, two = pause("service.domain.foundation.audit_chain:seal", LEAVING)
    rita = two.client(RITA)
    rita.token()
    finish = one.client().begin_post("/sign-in", {"email": RITA, "password": PASSWORD})
    until(lambda: stands_still(one))
    assert rita.get("/today").status == 200
    assert rita.post("/appointments", OTHER_BOOKING).status == 503
    given_up(database_url)
    assert rita.post("/appointments", OTHER_BOOKING).status == 303
    one.process.send_signal(signal.SIGCONT)
    assert finish().status == 503
    several.stop()


@pytest.mark.parametrize("at", [1, 900, LEAVING])
def test_f11_reminders_of_a_process_that_stands_still_are_sent_by_the_other_once(
    several: Several,
    pause: Pause,
    house: House,
    server: MailServer,
    database_url: str,
    at: int,
) -> None:
    with time_machine.travel(NOW - timedelta(days=9)):
        booked_morning(house, NOW + timedelta(hours=3), 12)
    one, _two = pause("service.jobs.send_daily_reminders:send_daily_reminders", at, NOW - timedelta(hours=2))
    jump(several.folders[0], NOW)
    until(lambda: stands_still(one))
    given_up(database_url)
    jump(several.folders[1], NOW + LEASES_ARE_OVER)
    until(lambda: not waiting(several))
    before = dict(server.told)
    one.process.send_signal(signal.SIGCONT)
    jump(several.folders[0], NOW + LEASES_ARE_OVER)
    several.stop()
    unsure = {
        str(who) for (who,) in rows(several.folders[1], "SELECT recipient FROM messages WHERE status = 'unknown'")
    }
    assert len(unsure) <= 1
    told = {f"p{number}@clinic.example": server.told[f"p{number}@clinic.example"] for number in range(12)}
    assert {who: times for who, times in told.items() if who not in unsure} == {
        who: 1 for who in told if who not in unsure
    }
    assert all(told[who] <= 1 for who in unsure)
    assert sum(before.values()) >= 11


def waiting(several: Several) -> bool:
    """Whether today's reminders are not all sent, or their run is not done."""
    run = "SELECT 1 FROM job_runs WHERE job = 'send_daily_reminders' AND slot = '2026-05-04' AND status = 'done'"
    under_way = "SELECT 1 FROM messages WHERE status IN ('queued', 'sending', 'handing_over')"
    return not rows(several.folders[1], run) or bool(rows(several.folders[1], under_way))


@pytest.mark.parametrize("at", [3_000, LEAVING])
def test_f11_an_export_of_a_process_that_stands_still_is_written_by_the_other_once(
    several: Several,
    pause: Pause,
    house: House,
    database_url: str,
    at: int,
) -> None:
    with time_machine.travel(NOW):
        big_history(house, EVE, 3_000)
    one, two = pause("service.jobs.export_patient_history_csv:export_patient_history_csv", at)
    eve = one.client(EVE)
    finish = eve.begin_post("/exports")
    until(lambda: stands_still(one))
    given_up(database_url)
    jump(several.folders[1], NOW + LEASES_ARE_OVER)
    until(lambda: rows(several.folders[1], "SELECT 1 FROM exports WHERE status = 'available'"))
    page = f"/exports/{rows(several.folders[1], 'SELECT id FROM exports')[0][0]}"
    assert two.client(EVE).get(f"{page}/file").body.count(b"\r\n") == 3_001
    one.process.send_signal(signal.SIGCONT)
    assert finish().location == page
    several.stop()
    assert part_files(several.exports) == []
    ((status, done),) = rows(several.folders[1], "SELECT status, rows_done FROM exports")
    assert (status, done) == ("available", 3_000)
    (file,) = (several.exports / "histories").iterdir()
    assert file.read_bytes().count(b"\r\n") == 3_001
