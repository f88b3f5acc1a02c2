"""What every job backend does: brings ticks and threads to the same tasks, stops in time, loses nothing.

`BOTH` is the contract: with `local` in this process, with `celery` by a worker of its own on PostgreSQL and Redis.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from service.domain.exports import clinic_zip, export_files, exports, history_csv
from service.domain.foundation.actor import SYSTEM
from service.jobs import local_backend, runner, schedule
from service.jobs.celery_backend import CeleryBackend
from service.jobs.context import JobContext
from service.jobs.queue import JobQueue
from service.storage.models import Export, JobRun, Message
from tests import patience
from tests.domain.outbox.planning import posted
from tests.history import long_history
from tests.house import House
from tests.jobs.by_hand import opened
from tests.patience import until
from tests.services import workers
from tests.services.postgres import Postgres
from tests.services.redis import Redis
from tests.services.workers import Crew

BOTH = pytest.mark.parametrize("clinic", ["local", "celery"], indirect=True)
SECTIONS: dict[str, dict[str, Any]] = {
    "jobs": {"sheets_at": "00:00", "reminders_at": "00:00"},
    "backup": {"at": "00:00"},
}


@pytest.fixture(scope="module")
def crew(postgres: Postgres, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """A clinic whose worker runs all the while."""
    with workers.crew(tmp_path_factory.mktemp("crew"), postgres.migrated(), redis.empty(), **SECTIONS) as made:
        made.worker()
        made.rest(ticked=True)
        yield made


@pytest.fixture
def clinic(request: pytest.FixtureRequest, make_house: Callable[..., House]) -> Iterator[Callable[[], House]]:
    """Opens the clinic with one of the backends, each time as a new process would."""
    if getattr(request, "param", "local") == "local":
        yield lambda: make_house(**SECTIONS)
        return
    crew: Crew = request.getfixturevalue("crew")
    crew.empty(request.getfixturevalue("postgres"))
    yield crew.house
    crew.close()


def begin(queue: JobQueue) -> None:
    """Tick: by itself, or as beat lets a worker do it."""
    queue.start()
    if isinstance(queue, CeleryBackend):
        queue.tick()


@pytest.fixture
def house(clinic: Callable[[], House]) -> House:
    """The clinic on its first day."""
    return clinic()


@pytest.fixture
def queue(house: House) -> Iterator[JobQueue]:
    """The backend under test, stopped at the end."""
    yield house.wiring.queue
    house.wiring.queue.stop(5)


def requested(house: House, patient: int) -> str:
    with house.writing() as session:
        return exports.request(session, SYSTEM, patient).id


def status(house: House, export_id: str) -> str:
    with house.reading() as session:
        return session.get_one(Export, export_id).status


def files(house: House) -> list[Path]:
    return sorted(house.settings.histories.iterdir())


@pytest.fixture
def patient(house: House) -> int:
    """A patient with one treatment."""
    patient_id = house.patient("Lena Vogt")
    long_history(house, house.user("doctor", "doctor@clinic.example").doctor_id, patient_id, 1)
    return patient_id


@BOTH
def test_an_export_that_is_handed_over_is_written_soon(house: House, queue: JobQueue, patient: int) -> None:
    export_id = requested(house, patient)
    queue.export(export_id)
    until(lambda: status(house, export_id) == "available")
    assert files(house) == [house.settings.histories / f"{export_id}.csv"]


@BOTH
def test_work_that_is_handed_over_many_times_is_done_once(house: House, queue: JobQueue, patient: int) -> None:
    export_id = requested(house, patient)
    run_id = opened(house, "generate_monthly_report")
    for _again in range(50):
        queue.export(export_id)
        queue.run(run_id)
        queue.deliver()
    until(lambda: status(house, export_id) == "available" and house.count(JobRun, JobRun.status == "done") == 1)
    with house.reading() as session:
        assert session.get_one(Export, export_id).attempts == 1
        assert session.get_one(JobRun, run_id).attempt == 1


@BOTH
def test_what_was_missed_is_caught_up_at_the_start(house: House, queue: JobQueue, patient: int) -> None:
    waiting = requested(house, patient)
    begin(queue)
    until(lambda: house.count(JobRun, JobRun.status == "done") == len(schedule.table(house.settings)))
    until(lambda: status(house, waiting) == "available")
    with house.reading() as session:
        assert {run.job for run in session.query(JobRun)} == {row.job for row in schedule.table(house.settings)}


@BOTH
def test_files_that_no_row_stands_for_are_removed_at_the_start(house: House, queue: JobQueue) -> None:
    stray = export_files.folder_of(house.settings) / f"{'0' * 32}.csv.0a1b2c3d.part"
    stray.touch()
    begin(queue)
    until(lambda: not stray.exists())


def test_a_job_that_breaks_does_not_stop_the_others(
    house: House, queue: JobQueue, patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.run(4711)
    queue.export("no such export")
    export_id = requested(house, patient)
    with monkeypatch.context() as broken:
        broken.setattr(history_csv, "write", lambda *_args: 1 / 0)
        queue.export(export_id)
        until(lambda: status(house, export_id) == "failed")
    again = requested(house, patient)
    queue.export(again)
    until(lambda: status(house, again) == "available")


@BOTH
def test_an_unknown_id_stops_nothing(house: House, queue: JobQueue, patient: int) -> None:
    queue.run(4711)
    queue.export("no such export")
    queue.export_clinic("no such export")
    export_id = requested(house, patient)
    queue.export(export_id)
    until(lambda: status(house, export_id) == "available")


@BOTH
def test_the_whole_clinic_is_written_beside_a_patients_history(house: House, queue: JobQueue, patient: int) -> None:
    with house.writing() as session:
        whole = exports.request_of_clinic(session, house.user("admin", "admin@clinic.example")).id
    queue.export_clinic(whole)
    one = requested(house, patient)
    queue.export(one)
    until(lambda: status(house, one) == "available" and status(house, whole) == "available")
    assert sorted(file.suffix for file in files(house)) == [".csv", ".zip"]


@BOTH
def test_a_run_by_hand_is_executed(house: House, queue: JobQueue) -> None:
    run_id = opened(house, "generate_monthly_report")
    queue.run(run_id)
    until(lambda: house.count(JobRun, JobRun.id == run_id, JobRun.status == "done") == 1)


@BOTH
def test_messages_that_wait_are_sent_when_told(house: House, queue: JobQueue) -> None:
    begin(queue)
    until(lambda: house.count(JobRun, JobRun.status == "done") == len(schedule.table(house.settings)))
    posted(house, house.user("doctor", "doctor@clinic.example"))
    queue.posted()
    until(lambda: house.count(Message, Message.status == "sent") == 1)


@BOTH
def test_a_backend_that_never_started_stops_at_once(queue: JobQueue) -> None:
    assert queue.stop(patience.SECONDS)


def test_o5_a_stop_lets_running_work_end_in_its_time(
    house: House, queue: JobQueue, patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()
    write = history_csv.write

    def slow(*args: Any) -> int:
        began.set()
        assert go_on.wait(patience.SECONDS)
        return write(*args)

    monkeypatch.setattr(history_csv, "write", slow)
    export_id = requested(house, patient)
    queue.export(export_id)
    assert began.wait(patience.SECONDS)
    Timer(0.5, go_on.set).start()
    assert queue.stop(patience.SECONDS)
    assert status(house, export_id) == "available"


def test_o5_a_stop_puts_a_long_export_back_and_the_next_start_writes_it(
    house: House, queue: JobQueue, clinic: Callable[[], House], patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_history(house, 1, patient, 5000)
    began = Event()
    write = history_csv.write

    def endless(session: Any, patient_id: int, zone: Any, target: Any, progress: Callable[[int], None]) -> int:
        began.set()
        while True:  # a history without end: only the stop ends it
            write(session, patient_id, zone, target, progress)

    with monkeypatch.context() as long:
        long.setattr(history_csv, "write", endless)
        export_id = requested(house, patient)
        queue.export(export_id)
        assert began.wait(patience.SECONDS)
        assert queue.stop(0.2)
    assert status(house, export_id) == "pending"
    assert files(house) == []
    next_day = clinic()
    next_day.wiring.queue.start()
    until(lambda: status(house, export_id) == "available")
    assert len(files(house)) == 1


def test_what_was_handed_over_but_not_begun_is_found_at_the_next_start(
    house: House, queue: JobQueue, clinic: Callable[[], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = house.user("doctor", "doctor@clinic.example").doctor_id
    patients = [house.patient() for _one in range(6)]
    for patient in patients:
        long_history(house, doctor, patient, 1)
    began, go_on = Event(), Event()

    def held(*_args: Any) -> int:
        began.set()
        assert go_on.wait(patience.SECONDS)
        return 0

    with monkeypatch.context() as busy:
        busy.setattr(history_csv, "write", held)
        waiting = [requested(house, patient) for patient in patients]
        for export_id in waiting:
            queue.export(export_id)
        assert began.wait(patience.SECONDS)
        Timer(0.5, go_on.set).start()  # after the stop has told the pool to begin nothing more
        assert queue.stop(patience.SECONDS)
    states = [status(house, export_id) for export_id in waiting]
    assert states.count("available") <= house.settings.jobs.export_workers
    assert set(states) == {"available", "pending"}
    next_day = clinic()
    next_day.wiring.queue.start()
    until(lambda: all(status(house, export_id) == "available" for export_id in waiting))


@BOTH
def test_a_stopped_backend_takes_nothing_more(house: House, queue: JobQueue, patient: int) -> None:
    queue.stop(1)
    export_id = requested(house, patient)
    queue.export(export_id)
    queue.run(opened(house, "send_daily_reminders"))
    queue.deliver()
    assert status(house, export_id) == "pending"
    assert house.count(JobRun, JobRun.status == "queued") == 1


def test_an_export_reads_over_a_connection_that_no_page_needs(
    house: House, queue: JobQueue, patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()
    write = history_csv.write

    def held(session: Any, *args: Any) -> int:
        history_csv.count(session, patient)
        began.set()
        assert go_on.wait(patience.SECONDS)
        return write(session, *args)

    monkeypatch.setattr(history_csv, "write", held)
    export_id = requested(house, patient)
    queue.export(export_id)
    assert began.wait(patience.SECONDS)
    assert house.wiring.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    go_on.set()
    until(lambda: status(house, export_id) == "available")


def test_no_patient_waits_for_the_whole_clinic(
    house: House, queue: JobQueue, patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = Event(), Event()

    def endless(*_args: Any) -> int:
        began.set()
        assert go_on.wait(patience.SECONDS)
        return 0

    monkeypatch.setattr(clinic_zip, "write", endless)
    with house.writing() as session:
        whole = exports.request_of_clinic(session, house.user("admin", "admin@clinic.example")).id
    queue.export_clinic(whole)
    assert began.wait(patience.SECONDS)
    for _turn in range(house.settings.jobs.export_workers + 1):
        one = house.patient()
        export_id = requested(house, one)
        queue.export(export_id)
        until(lambda export_id=export_id: status(house, export_id) == "available")  # type: ignore[misc]
    go_on.set()
    until(lambda: status(house, whole) == "available")


def test_an_export_does_not_wait_for_a_long_job(
    house: House, queue: JobQueue, patient: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()
    monkeypatch.setattr(local_backend, "deliver_messages", lambda _context: go_on.wait(patience.SECONDS))
    monkeypatch.setattr(runner, "execute", lambda _context, _run_id: go_on.wait(patience.SECONDS))
    queue.deliver()
    for run_id in range(4):
        queue.run(run_id)
    export_id = requested(house, patient)
    queue.export(export_id)
    until(lambda: status(house, export_id) == "available")
    go_on.set()


def test_what_is_posted_while_the_last_message_leaves_is_looked_for_once_more(
    house: House, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, free, rounds = Event(), Event(), list[int]()

    def deliver(_context: JobContext) -> None:
        rounds.append(len(rounds))
        begun.set()
        free.wait(patience.SECONDS)

    monkeypatch.setattr(local_backend, "deliver_messages", deliver)
    queue.deliver()
    assert begun.wait(patience.SECONDS)
    for _again in range(3):
        queue.deliver()
    free.set()
    until(lambda: rounds == [0, 1])
