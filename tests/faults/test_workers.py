"""F11, F29: workers, beat and the broker die, come back or are there twice: nothing is lost, no one gets two."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text, update

from service import clock
from service.domain.exports import exports
from service.domain.foundation.actor import SYSTEM
from service.jobs import schedule
from service.jobs.celery_backend import CeleryBackend
from service.storage.database import Database, migrate
from service.storage.models import Export, JobRun, Message
from tests import patience
from tests.domain.outbox.planning import posted
from tests.faults.clinic import booked_morning, part_files
from tests.history import long_history
from tests.house import House
from tests.jobs.by_hand import opened
from tests.patience import until
from tests.process.launching import serving
from tests.services import redis as redis_server
from tests.services import workers
from tests.services.mail_server import MailServer, running
from tests.services.postgres import Postgres
from tests.services.redis import Redis, connect
from tests.services.workers import Crew

pytestmark = pytest.mark.foreign
UNDER_WAY = [Message.status.in_(("queued", "sending", "handing_over"))]
ROUNDS = pytest.mark.parametrize(
    "rounds", [1, pytest.param(10, id="10 rounds", marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)
ROWS = 3000
"""Enough for an export to look up from its work on the way."""


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server that takes everything and counts."""
    made = MailServer()
    with running(made):
        yield made


@pytest.fixture
def broker(redis: Redis) -> Iterator[Redis]:
    """A Redis that the test may stop."""
    with redis_server.alone() as own:
        yield own


@pytest.fixture
def crew(postgres: Postgres, broker: Redis, server: MailServer, tmp_path: Path) -> Iterator[Crew]:
    """A clinic on PostgreSQL whose jobs are due from midnight on; no worker has started."""
    url = postgres.migrated()
    sections: dict[str, Any] = {
        "jobs": {"sheets_at": "00:00", "reminders_at": "00:00", "export_workers": 1},
        "backup": {"folder": ""},
        "email": server.settings(),
    }
    with workers.crew(tmp_path, url, broker.empty(), **sections) as made:
        yield made
        assert not any(redis_server.PASSWORD in process.printed for process in made.processes)
    postgres.wipe(url)


def requested(house: House, rows: int) -> str:
    """An export of a new patient's history; no one has been told of it yet."""
    patient = house.patient()
    doctor = house.user("doctor", f"dr.{patient}@clinic.example").doctor_id
    long_history(house, doctor, patient, rows)
    with house.writing() as session:
        return exports.request(session, SYSTEM, patient).id


def export(house: House, export_id: str) -> Export:
    with house.reading() as session:
        return session.get_one(Export, export_id)


def is_there(house: House, export_id: str) -> Callable[[], bool]:
    return lambda: export(house, export_id).status == "available"


@contextmanager
def held_up(house: House) -> Iterator[None]:
    """Anyone who reads treatments waits until the end of the block."""
    with house.wiring.database.engine.connect() as connection:
        connection.execute(text("LOCK TABLE treatments IN ACCESS EXCLUSIVE MODE"))
        yield
        connection.rollback()


def leases_end(house: House) -> None:
    """As if the minutes had passed after which the dead have nothing any more."""
    past = clock.now() - timedelta(seconds=1)
    with house.writing() as session:
        for table, states in ((Export, ["running"]), (JobRun, ["running"]), (Message, ["sending", "handing_over"])):
            session.execute(update(table).where(table.status.in_(states)).values(lease_until=past))


def tick(house: House) -> None:
    """What beat does every 30 seconds."""
    assert isinstance(house.wiring.queue, CeleryBackend)
    house.wiring.queue.tick()


def ticked(house: House) -> bool:
    """Tick, and give it a moment: true, to be said before what the tick is to bring about."""
    tick(house)
    sleep(0.5)
    return True


def sleep_until_asked() -> None:
    """As long as a worker lets work end by itself."""
    sleep(5.2)


def done(house: House) -> dict[str, int]:
    """How many runs each job has done."""
    with house.reading() as session:
        runs = session.query(JobRun).filter(JobRun.status == "done")
        counts: dict[str, int] = {}
        for run in runs:
            counts[run.job] = counts.get(run.job, 0) + run.attempt
        return counts


def morning(house: House, patients: int, names: str = "clinic") -> list[str]:
    """So many patients whose appointments begin in ten minutes; returns their addresses."""
    booked_morning(house, clock.now() + timedelta(minutes=10), patients, names)
    return [f"p{number}@{names}.example" for number in range(patients)]


@ROUNDS
def test_f11_a_worker_killed_in_an_export_and_in_reminders_leaves_them_to_the_next(
    crew: Crew, server: MailServer, rounds: int
) -> None:
    house, worker = crew.house(), crew.worker()
    until(lambda: len(done(house)) == 3)
    server.seconds = 0.05
    for turn in range(rounds):
        told, export_id, before = morning(house, 30, f"round{turn}"), requested(house, 1), len(server.mails)
        with held_up(house):
            house.wiring.queue.export(export_id)
            house.wiring.queue.run(opened(house, "send_daily_reminders"))
            until(lambda: export(house, export_id).status == "running" and len(server.mails) >= before + 5)  # noqa: B023
            worker.kill()
        assert len(server.mails) < before + 30
        leases_end(house)
        worker = crew.worker()
        until(is_there(house, export_id))
        assert export(house, export_id).attempts == 2
        until(lambda: house.count(Message) == 30 * turn + 30 and not house.count(Message, *UNDER_WAY))  # noqa: B023
        assert max(server.told.values()) == 1
        missing = set(told) - set(server.told)
        assert len(missing) <= house.count(Message, Message.status == "unknown") <= turn + 1
    assert part_files(crew.folder) == []


def test_o5_a_worker_told_to_stop_puts_a_long_export_back(crew: Crew) -> None:
    house, first = crew.house(), crew.worker()
    until(lambda: len(done(house)) == 3)
    export_id = requested(house, ROWS)
    with held_up(house):
        house.wiring.queue.export(export_id)
        until(lambda: export(house, export_id).status == "running")
        first.process.send_signal(signal.SIGTERM)
        sleep_until_asked()
    assert first.process.wait(patience.SECONDS) == 0
    assert (export(house, export_id).status, export(house, export_id).attempts) == ("pending", 1)
    assert part_files(crew.folder) == []


def test_f11_two_workers_and_two_beats_do_everything_once(crew: Crew, server: MailServer) -> None:
    house = crew.house()
    told, waiting = morning(house, 40), [requested(house, 1) for _one in range(6)]
    for _twice in range(2):
        crew.beat()
    for _twice in range(2):
        crew.worker()
    for _again in range(10):
        tick(house)
    jobs = [row.job for row in schedule.table(house.settings)]
    until(lambda: len(done(house)) == len(jobs) and all(is_there(house, one)() for one in waiting))
    until(lambda: house.count(Message, Message.status == "sent") == 40)
    assert done(house) == dict.fromkeys(jobs, 1)
    assert house.count(JobRun) == len(jobs)
    assert dict(server.told) == dict.fromkeys(told, 1)
    assert {export(house, one).attempts for one in waiting} == {1}
    assert all("rounds.tick" not in beat.printed for beat in crew.processes[:2])  # no errors of theirs


def test_f29_what_a_flushed_and_restarted_broker_has_forgotten_is_done(crew: Crew, broker: Redis) -> None:
    house = crew.house()
    forgotten = requested(house, 1)
    house.wiring.queue.export(forgotten)
    connect(crew.sections["jobs"]["broker_url"]).flushall()
    crew.worker()
    until(is_there(house, forgotten))
    broker.stop()
    away = requested(house, 1)
    house.wiring.queue.export(away)
    assert export(house, away).status == "pending"
    broker.start()
    until(lambda: ticked(house) and is_there(house, away)())


def test_f13_a_mail_server_that_hangs_holds_up_no_export(crew: Crew, server: MailServer) -> None:
    house = crew.house()
    somebody, export_id = house.user("admin", "admin@clinic.example"), requested(house, 1)
    crew.worker()
    until(is_there(house, export_id))
    server.seconds = 60
    for _message in range(12):
        posted(house, somebody)
        house.wiring.queue.posted()
    until(lambda: house.count(Message, Message.status == "handing_over") > 0)
    pressed = requested(house, 1)
    house.wiring.queue.export(pressed)
    until(is_there(house, pressed))
    assert house.count(Message, Message.status == "handing_over") <= 2


@pytest.mark.parametrize("has_clinic", [False, True], ids=["empty", "another clinic"])
def test_h12_a_database_that_is_made_again_under_a_worker_stops_it(
    postgres: Postgres, broker: Redis, tmp_path: Path, has_clinic: bool
) -> None:
    url = postgres.empty()
    with closing(Database(url)) as first:
        migrate(first)
    with workers.crew(tmp_path, url, broker.empty(), backup={"folder": ""}) as crew:
        house, worker = crew.house(), crew.worker()
        postgres.make_again(url)
        if has_clinic:
            with closing(Database(url)) as another:
                migrate(another)
        tick(house)
        assert worker.process.wait(patience.SECONDS) == 1
        assert "made again while Rounds was using it" in worker.printed
        if has_clinic:
            with closing(Database(url)) as another, another.reading() as session:
                assert session.query(JobRun).count() == 0, "the other clinic's work was left alone"
    postgres.drop(url)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_f11_f29_whatever_dies_while_people_press_everything_is_done_and_nothing_twice(
    crew: Crew, server: MailServer, broker: Redis
) -> None:
    house, patients = crew.house(), [f"eve{number}@clinic.example" for number in range(6)]
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    for email in patients:
        (patient,) = house.user("patient", email).patient_ids
        long_history(house, doctor, patient, 300)
    url = crew.sections["jobs"]["broker_url"]
    server.seconds, told, asked = 0.02, list[str](), set[str]()
    with serving(crew.folder) as one, serving(crew.folder) as other:
        clients = [web.client(email) for email, web in zip(patients, cycle((one, other)), strict=False)]
        beats, crews = [crew.beat(), crew.beat()], [crew.worker(), crew.worker()]
        for turn in range(12):
            told += morning(house, 20, f"turn{turn}")
            house.wiring.queue.run(opened(house, "send_daily_reminders"))
            for client in clients:
                answer = client.post("/exports")
                assert answer.status == 303
                asked.add(answer.location.removeprefix("/exports/"))
            sleep(Random(turn).uniform(0, 0.5))
            if turn % 4 == 0:
                crews.pop(0).kill()
                crews.append(crew.worker())
            elif turn % 4 == 1:
                broker.stop()
                sleep(3)
                broker.start()
            elif turn % 4 == 2:
                connect(url).flushall()
            else:
                beats.pop(0).kill()
                beats.append(crew.beat())
        until(lambda: not house.count(Export, Export.status.in_(("pending", "running"))), 240)
        until(lambda: not house.count(Message, *UNDER_WAY, Message.rule == "daily_reminder"), 240)
        until(lambda: not house.count(JobRun, JobRun.status.in_(("queued", "running"))), 240)
    assert len(asked) > len(patients)
    assert {export(house, one).status for one in asked} == {"available"}
    assert max(count for address, count in server.told.items() if address in told) == 1
    missing = set(told) - set(server.told)
    assert len(missing) <= house.count(Message, Message.status == "unknown") <= 3
    with house.reading() as session:
        assert {(run.status, run.last_error) for run in session.query(JobRun)} == {("done", None)}
    assert part_files(crew.folder) == []
