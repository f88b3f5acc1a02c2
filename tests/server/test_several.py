"""Several web processes on one PostgreSQL act as one service, and each job is done once (F11)."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import time_machine

from service.config.settings import Settings
from service.jobs import schedule
from tests.crowd import together
from tests.faults.clinic import big_history, booked_morning, part_files, wall
from tests.house import House
from tests.patience import until
from tests.process.launching import ON_SERVER, Client, Service, configure, jump, rows, start
from tests.services.mail_server import MailServer, running

pytestmark = pytest.mark.postgresql

EVE = "eve@clinic.example"
NOW = wall("2026-05-04 09:00")


@pytest.fixture
def database_kind() -> str:
    """PostgreSQL: SQLite lets only one process serve (tests/server/test_serve.py)."""
    return "postgresql"


class Several:
    """Web processes as on computers of their own: a folder each, one database, one key, one folder of exports."""

    def __init__(self, folder: Path, url: str, settings: str = "") -> None:
        self.exports = folder / "exports"
        self.folders = [folder / "one", folder / "two"]
        for own in self.folders:
            own.mkdir()
            shutil.copy(folder / "secret.key", own)
            configure(
                own, f'[exports]\nfolder = "{self.exports}"\n[backup]\nfolder = "{folder / "backups"}"\n{settings}'
            )
            ON_SERVER[own] = url
        self.running: list[Service] = []

    def start(self, at: str = "2026-05-04 09:00:00") -> tuple[Service, Service]:
        """Start both at a time of day."""
        when = wall(at[:16]).replace(second=int(at[17:]))
        return self.start_one(0, when), self.start_one(1, when)

    def start_one(self, number: int, when: datetime) -> Service:
        """Start the first (0) or the second (1)."""
        self.running.append(start(self.folders[number], at=when))
        return self.running[-1]

    def stop(self) -> None:
        """Stop what still runs, well."""
        for service in self.running:
            if service.process.poll() is None:
                assert service.stop() == 0

    def end(self) -> None:
        """Leave nothing behind."""
        for service in self.running:
            service.kill()
        for own in self.folders:
            del ON_SERVER[own]


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that counts."""
    made = MailServer()
    with running(made):
        yield made


@pytest.fixture
def several(
    house: House, database_url: str, tmp_path: Path, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Several]:
    """Two of them, to be started, with a scheduler that ticks every second."""
    monkeypatch.setenv("TEST_TICK", "1")
    made = Several(tmp_path, database_url, server.toml())
    yield made
    made.end()


def moved(client: Client, to: Service) -> Client:
    """The same browser, answered by another process from now on."""
    return Client(to.url, cookies=client.cookies, _token=client._token)


def booking(clients: list[Client], patients: list[int], at: str, number: int) -> int:
    """One of many books a time for one of many; returns the answer's status."""
    form = {"patient_id": str(patients[number]), "doctor_id": "1", "starts_at": at}
    return clients[number].post("/appointments", form).status


def test_a_session_a_form_and_a_limit_hold_whichever_process_answers(several: Several, house: House) -> None:
    with time_machine.travel(NOW):
        house.user("admin", "ada@clinic.example", "Ada")
        house.user("patient", EVE, "Eve")
    one, two = several.start()
    ada = one.client("ada@clinic.example")
    ada.token()
    other = moved(ada, two)
    assert other.get("/dashboard").status == 200
    assert other.post("/jobs/write_day_sheets/runs").status == 303  # with the other one's form token
    assert other.post("/sign-out").status == 303
    assert ada.get("/dashboard").status == 303
    guesses = [(one, two)[turn % 2].client().sign_in(EVE, f"guess {turn}").status for turn in range(8)]
    assert guesses[0] == 422
    assert guesses[-1] == 429
    assert {process.client().sign_in(EVE).status for process in (one, two)} == {429}
    several.stop()


def test_a9_the_setup_code_of_one_is_that_of_all(several: Several) -> None:
    codes = {re.findall(r"setup code from another computer: (\w+)", process.printed)[0] for process in several.start()}
    assert len(codes) == 1
    several.stop()


def test_b1_of_many_who_want_one_time_at_two_processes_one_gets_it(several: Several, house: House) -> None:
    with time_machine.travel(NOW):
        doctor = house.user("doctor", "dr@clinic.example", "Dr Ada").doctor_id
        house.hours(doctor)
        house.user("receptionist", "rita@clinic.example", "Rita")
        patients = [house.patient(f"Patient {number}") for number in range(12)]
    processes = several.start()
    clients = [processes[number % 2].client("rita@clinic.example") for number in range(12)]
    for client in clients:
        client.token()
    for day in ("2026-05-05T10:00", "2026-05-06T10:00", "2026-05-07T10:00"):
        answers = together(12, partial(booking, clients, patients, day))
        assert Counter(answers) == {303: 1, 409: 11}
    several.stop()
    ours = rows(several.folders[0], "SELECT count(*), count(DISTINCT starts_at) FROM appointments")
    assert ours == [(3, 3)]


def test_e1_an_export_asked_of_one_is_followed_and_fetched_at_the_other(several: Several, house: House) -> None:
    with time_machine.travel(NOW):
        big_history(house, EVE, 2_000)
    one, two = several.start()
    eve = one.client(EVE)
    page = eve.post("/exports").location
    there = moved(eve, two)
    until(lambda: 'data-state="available"' in there.get(page).text)
    assert there.get(f"{page}/file").body == eve.get(f"{page}/file").body
    assert there.get(f"{page}/file").body.count(b"\r\n") == 2_001
    several.stop()


def test_f11_each_job_of_a_morning_is_done_once(several: Several, house: House, server: MailServer) -> None:
    if shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump")
    with time_machine.travel(wall("2026-04-10 12:00")):
        booked_morning(house, wall("2026-05-01 10:00"), 40)
    several.start("2026-05-01 07:59:57")
    jobs = [row.job for row in schedule.table(Settings())]
    done = "SELECT job, slot FROM job_runs WHERE status = 'done' AND slot IN ('2026-05-01', '2026-04') ORDER BY job"
    until(lambda: len(rows(several.folders[0], done)) >= len(jobs))
    until(lambda: not rows(several.folders[0], "SELECT 1 FROM messages WHERE status NOT IN ('sent', 'skipped')"))
    several.stop()
    ended = rows(
        several.folders[0], "SELECT job, status, attempt FROM job_runs WHERE slot IN ('2026-05-01', '2026-04')"
    )
    assert sorted(ended) == sorted((job, "done", 1) for job in jobs)
    patients = {who: times for who, times in server.told.items() if who.startswith("p")}
    assert patients == {f"p{number}@clinic.example": 1 for number in range(40)}
    assert server.told["ada@clinic.example"] == 1  # the report
    assert rows(several.folders[0], "SELECT count(*) FROM reports") == [(1,)]
    assert len(list((several.exports.parent / "backups").glob("*.zip"))) == 1


def test_f11_stopping_one_disturbs_nothing_that_the_other_does(several: Several, house: House) -> None:
    with time_machine.travel(NOW):
        big_history(house, EVE, 60_000)
    one, two = several.start()
    page = one.client(EVE).post("/exports").location
    until(lambda: part_files(several.exports))
    assert two.stop() == 0
    eve = several.start_one(1, NOW).client(EVE)
    until(lambda: 'data-state="available"' in eve.get(page).text)
    assert rows(several.folders[0], "SELECT attempts FROM exports") == [(1,)]
    several.stop()


def test_f3_what_a_killed_process_was_writing_is_written_by_another_when_its_claim_is_over(
    several: Several, house: House
) -> None:
    with time_machine.travel(NOW):
        big_history(house, EVE, 60_000)
    one = several.start_one(0, NOW)
    page = one.client(EVE).post("/exports").location
    until(lambda: part_files(several.exports))
    one.kill()
    two = several.start_one(1, NOW + timedelta(seconds=5))
    eve = two.client(EVE)
    assert 'data-state="running"' in eve.get(page).text  # whose claim may be a living one's, for all it knows
    jump(several.folders[1], NOW + timedelta(minutes=1))
    until(lambda: 'data-state="available"' in eve.get(page).text)
    assert eve.get(f"{page}/file").body.count(b"\r\n") == 60_001
    assert part_files(several.exports) == []
    assert two.stop() == 0
