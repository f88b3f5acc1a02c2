"""F11: a second process takes the work of a dead one, never that of one that is only slow."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from threading import Event, Thread
from typing import Any

import pytest

from service.backups import making
from service.domain.exports import export_ledger, exports, history_csv
from service.domain.foundation import job_runs
from service.domain.foundation.actor import SYSTEM
from service.jobs import lease as lease_thread
from service.storage.models import Export, JobRun
from tests import patience
from tests.history import long_history
from tests.house import House
from tests.jobs.by_hand import opened
from tests.jobs.conftest import Desk
from tests.patience import until

SHORT = timedelta(seconds=0.5)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """Leases end after half a second, and a step takes until the second event is set; the first: it has begun."""
    begun, go_on = Event(), Event()
    monkeypatch.setattr(lease_thread, "RENEW_SECONDS", 0.1)
    for ledger in (export_ledger, job_runs):
        monkeypatch.setattr(ledger, "LEASE", SHORT)

    def held_up(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **more: Any) -> Any:
            begun.set()
            assert go_on.wait(patience.SECONDS)
            return real(*args, **more)

        return step

    monkeypatch.setattr(history_csv, "write", held_up(history_csv.write))
    monkeypatch.setattr(making, "make", held_up(making.make))
    return begun, go_on


def test_f11_a_slow_export_stays_with_the_process_that_writes_it(
    house: House, make_house: Callable[[], House], slow: tuple[Event, Event]
) -> None:
    begun, go_on = slow
    patient = house.patient()
    long_history(house, house.user("doctor", "doctor@clinic.example").doctor_id, patient, 1)
    with house.writing() as session:
        export_id = exports.request(session, SYSTEM, patient).id
    writing = Thread(target=house.export, args=(export_id,))
    writing.start()
    assert begun.wait(patience.SECONDS)
    first = lease(house, export_id)
    until(lambda: lease(house, export_id) > first + 2 * SHORT)
    desk = Desk()
    make_house().tick(desk)
    assert desk.exports == []
    go_on.set()
    writing.join(patience.SECONDS)
    with house.reading() as session:
        export = session.get_one(Export, export_id)
        assert (export.status, export.attempts) == ("available", 1)


def test_f11_a_backup_that_takes_long_is_made_by_nobody_else(
    house: House, make_house: Callable[[], House], slow: tuple[Event, Event]
) -> None:
    begun, go_on = slow
    run_id = opened(house, "make_backup")
    making_it = Thread(target=house.execute, args=(run_id,))
    making_it.start()
    assert begun.wait(patience.SECONDS)
    first = run(house, run_id).lease_until
    until(lambda: run(house, run_id).lease_until > first + 2 * SHORT)
    desk = Desk()
    make_house().tick(desk)
    assert run_id not in desk.runs
    go_on.set()
    making_it.join(patience.SECONDS)
    assert (run(house, run_id).status, run(house, run_id).attempt) == ("done", 1)


def test_a_job_whose_claim_was_lost_ends_and_leaves_it_to_the_other(
    house: House, make_house: Callable[[], House], slow: tuple[Event, Event]
) -> None:
    begun, go_on = slow
    run_id = opened(house, "make_backup")
    making_it = Thread(target=house.execute, args=(run_id,))
    making_it.start()
    assert begun.wait(patience.SECONDS)
    with house.writing() as session:
        session.get_one(JobRun, run_id).owner = "somebody else"
    until(lambda: not any(thread.name == "lease" for thread in threads()))
    go_on.set()
    making_it.join(patience.SECONDS)
    assert (run(house, run_id).status, run(house, run_id).owner) == ("running", "somebody else")


def test_what_hangs_is_given_up(slow: tuple[Event, Event], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_thread, "LONGEST_SECONDS", 0.35)
    renewed = count(1)
    with lease_thread.kept(lambda: bool(next(renewed))) as lost:
        until(lambda: not any(thread.name == "lease" for thread in threads()))
        assert (next(renewed), lost()) == (4, False)


def threads() -> list[Any]:
    """What runs in this process."""
    return threading.enumerate()


def lease(house: House, export_id: str) -> Any:
    with house.reading() as session:
        return session.get_one(Export, export_id).lease_until


def run(house: House, run_id: int) -> JobRun:
    with house.reading() as session:
        return session.get_one(JobRun, run_id)
