"""What a web process hands to workers: ids, each in one queue; without a broker pages go on and nothing is lost."""

import base64
import json
import threading
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from structlog.testing import capture_logs

from service import circuit_breaker
from service.config.settings import Jobs, Settings
from service.jobs.celery_backend import QUEUES, CeleryBackend
from service.storage.models import Export
from tests.history import long_history
from tests.house import House, build
from tests.services import redis as redis_server
from tests.services.redis import Redis, connect


@pytest.fixture
def database_kind() -> str:
    """What is queued does not depend on the database."""
    return "sqlite"


@pytest.fixture
def own(redis: Redis) -> Iterator[Redis]:
    """A Redis that the test may stop."""
    with redis_server.alone() as server:
        yield server


def backend(url: str) -> CeleryBackend:
    return CeleryBackend(Settings(jobs=Jobs(backend="celery", broker_url=url)))


def waiting(url: str) -> dict[str, list[Any]]:
    """What lies in each queue: the arguments of its messages."""
    server = connect(url)
    found = {}
    for name in QUEUES:
        messages = [json.loads(one) for one in server.lrange(name, 0, -1)]
        found[name] = [json.loads(base64.b64decode(one["body"]))[0] for one in messages]
        assert {one["content-type"] for one in messages} <= {"application/json"}
        assert all(one["headers"]["expires"] for one in messages)
    return found


def test_each_piece_of_work_lies_in_one_queue_as_its_id(redis: Redis) -> None:
    url = redis.empty()
    queue = backend(url)
    queue.start()
    queue.run(7)
    queue.export("0a1b")
    queue.export_clinic("2c3d")
    queue.posted()
    assert waiting(url) == {"jobs": [[7]], "exports": [["0a1b"]], "clinic": [["2c3d"]], "post": [[]]}
    assert queue.stop(1)
    queue.run(8)
    assert waiting(url)["jobs"] == [[7]]


def test_a_process_that_hands_work_over_ticks_not_itself(redis: Redis) -> None:
    before = set(threading.enumerate())
    queue = backend(redis.empty())
    queue.start()
    assert set(threading.enumerate()) == before
    assert queue.stop(1)


def test_without_a_broker_nobody_waits_and_it_is_logged_once(own: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    url = own.empty()
    queue = backend(url)
    queue.run(1)
    own.stop()
    with capture_logs() as lines:
        for run_id in range(20):
            queue.run(run_id)
        own.start()
        monkeypatch.setattr(circuit_breaker, "monotonic", lambda: monotonic() + circuit_breaker.REST_SECONDS)
        queue.run(2)
        queue.run(3)
    assert waiting(url)["jobs"] == [[3], [2]]
    assert [line["event"] for line in lines] == ["the broker is away: going on without it", "the broker is back"]


def test_a_silent_broker_is_asked_once_and_then_left_alone(own: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(circuit_breaker, "monotonic", lambda: 1000.0)
    url = own.empty()
    queue = backend(url)
    queue.run(1)
    with own.silent():
        for run_id in range(2, 100):
            queue.run(run_id)
    assert {run_id for (run_id,) in waiting(url)["jobs"]} <= {1, 2}


def test_a_restart_of_the_broker_between_two_pages_is_not_noticed(own: Redis) -> None:
    url = own.empty()
    queue = backend(url)
    queue.run(1)
    own.stop()
    own.start()
    with capture_logs() as lines:
        queue.run(2)
    assert waiting(url)["jobs"] == [[2]]
    assert lines == []


def test_a_page_answers_without_a_broker_and_its_work_waits_in_the_database(house: House, own: Redis) -> None:
    url = own.empty()
    own.stop()
    pages = build(house.settings.base, jobs={"backend": "celery", "broker_url": url})
    doctor = pages.user("doctor", "doctor@clinic.example").doctor_id
    (patient,) = pages.user("patient", "eve@clinic.example").patient_ids
    long_history(pages, doctor, patient, 1)
    answer = pages.browser("eve@clinic.example").post("/exports")
    assert answer.status_code == 303
    assert pages.count(Export, Export.status == "pending") == 1
    own.start()
    pages.wiring.queue.stop(1)
    behind = build(house.settings.base, jobs={"backend": "celery", "broker_url": url})
    behind.tick(behind.wiring.queue)
    assert len(waiting(url)["exports"]) == 1
    for one in (pages, behind):
        one.wiring.database.close()
