"""Several processes that keep their figures in one Redis: what one has counted the others show, and Redis may go."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from threading import Barrier
from time import monotonic
from typing import Any

import pytest
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from service import circuit_breaker
from service.domain.reports import statistics
from service.http import cache
from tests import patience
from tests.house import House
from tests.services import redis as redis_server
from tests.services.redis import Redis, connect
from tests.web.frozen_clinic import NOW, Clinic, email, minutes
from tests.web.reading import parsed
from tests.web.reports.test_dashboard import Counting, as_of, figures, furnish


@pytest.fixture
def shared(redis: Redis) -> dict[str, Any]:
    """The settings of processes that share their figures."""
    return {"type": "RedisCache", "redis_url": redis.empty()}


@pytest.fixture
def own(redis: Redis) -> Iterator[Redis]:
    """A Redis that the test may stop."""
    with redis_server.alone() as server:
        yield server


@pytest.fixture
def process(clinic: Clinic, make_house: Callable[..., House], shared: dict[str, Any]) -> Callable[[], House]:
    """Opens the clinic as one more process of it would."""
    return lambda: make_house(cache=shared)


def test_what_one_process_has_counted_all_the_others_show(clinic: Clinic, process: Callable[[], House]) -> None:
    furnish(clinic)
    here, there = (process().browser(email("admin")) for _one in range(2))
    before = figures(here)
    clinic.house.visit(clinic.people["doctor"].doctor_id, clinic.pia, NOW + minutes(60))
    clinic.clock.shift(minutes(3))
    assert figures(there) == before
    assert as_of(there) == NOW
    here.post("/dashboard")
    assert figures(there) == figures(here) != before
    assert as_of(there) == NOW + minutes(3)


@pytest.mark.parametrize("who", ["admin", "doctor", "other doctor", "receptionist"])
def test_pages_show_the_same_as_from_a_cache_of_their_own(
    clinic: Clinic, process: Callable[[], House], who: str
) -> None:
    furnish(clinic)
    path = "/dashboard" if who == "admin" else "/figures"
    first, second = (process().browser(email(who)).get(path) for _one in range(2))  # counted, and read from Redis
    assert first.status_code == 200
    pages = [parsed(page) for page in (clinic.browser(who).get(path), first, second)]
    for token in (field for page in pages for field in page.select("[name=csrf_token]")):
        token.decompose()
    bodies = {str(page.select_one("main")) for page in pages}
    assert len(bodies) == 1


def test_z8_each_role_and_doctor_has_a_key_of_its_own_that_ends_after_five_minutes(
    clinic: Clinic, process: Callable[[], House], shared: dict[str, Any]
) -> None:
    house = process()
    for who in ("admin", "doctor", "other doctor", "receptionist"):
        assert house.browser(email(who)).get("/dashboard" if who == "admin" else "/figures").status_code == 200
    server = connect(shared["redis_url"])
    keys = {key.decode() for key in server.scan_iter()}
    assert len(keys) == 4
    assert all(key.startswith("rounds:") for key in keys)
    for key in keys:
        assert 295 <= server.ttl(key) <= 300
        assert isinstance(json.loads(server.get(key)), dict)  # plain JSON: nothing that runs when it is read


def test_foreign_data_in_redis_never_runs_and_breaks_no_page(
    clinic: Clinic, process: Callable[[], House], shared: dict[str, Any]
) -> None:
    browser, server = process().browser(email("admin")), connect(shared["redis_url"])
    browser.get("/dashboard")
    (key,) = server.scan_iter()
    for left in (b"!\x80\x05cos\nsystem\n", b"{", b"17", b"[]", b"\xff"):
        server.set(key, left)
        assert browser.get("/dashboard").status_code == 200


def test_processes_that_ask_at_the_same_moment_make_one_count(
    clinic: Clinic, process: Callable[[], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_computing", nullcontext())  # what holds within one process
    counting, together = Counting(), Barrier(8, timeout=patience.SECONDS)
    monkeypatch.setattr(statistics, "dashboard_stats", counting)
    browsers = [process().browser(email("admin")) for _one in range(8)]

    def look(number: int) -> int:
        together.wait()
        return browsers[number].get("/dashboard").status_code

    with ThreadPoolExecutor(8) as crowd:
        assert set(crowd.map(look, range(8))) == {200}
    assert counting.calls == 1


def test_a_process_that_died_while_it_counted_holds_up_the_others_only_for_a_moment(
    clinic: Clinic, process: Callable[[], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.http.shared_cache.WAITING_SECONDS", 0.3)
    here, there = process(), process()
    held = here.app.extensions["rounds figures"].one_at_a_time("dashboard_stats:clinic")
    with held:
        assert there.browser(email("admin")).get("/dashboard").status_code == 200


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Every count of the figures."""
    counting = Counting()
    monkeypatch.setattr(statistics, "dashboard_stats", counting)
    return counting


def test_f29_without_redis_pages_answer_at_once_and_it_is_logged_once(
    clinic: Clinic, make_house: Callable[..., House], own: Redis, count: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make_house(cache={"type": "RedisCache", "redis_url": own.empty()}).browser(email("admin"))
    browser.get("/dashboard")
    with capture_logs() as lines:
        own.stop()
        for _look in range(5):
            assert browser.get("/dashboard").status_code == 200
        assert count.calls == 6  # nothing is kept meanwhile
        own.start()
        monkeypatch.setattr(circuit_breaker, "monotonic", lambda: monotonic() + circuit_breaker.REST_SECONDS)
        for _look in range(3):
            assert browser.get("/dashboard").status_code == 200
    assert count.calls == 7  # kept again; what Redis held before is forgotten
    said = [line["event"] for line in lines if "Redis" in line["event"]]
    assert said == ["the Redis of the cache is away: going on without it", "the Redis of the cache is back"]


def test_f29_a_silent_redis_is_asked_once_and_then_left_alone(
    clinic: Clinic, make_house: Callable[..., House], own: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit_breaker, "monotonic", lambda: 1000.0)
    url = own.empty()
    kept = make_house(cache={"type": "RedisCache", "redis_url": url}).app.extensions["rounds figures"]
    assert kept.get("anything") is None
    with closing(connect(url)) as redis:
        asked = redis.info("commandstats")["cmdstat_get"]["calls"]
        with own.silent():
            for _look in range(100):
                assert kept.get("anything") is None
        assert redis.info("commandstats")["cmdstat_get"]["calls"] <= asked + 1


def test_f29_a_restart_of_redis_between_two_pages_is_not_noticed(
    clinic: Clinic, make_house: Callable[..., House], own: Redis, count: Counting
) -> None:
    browser = make_house(cache={"type": "RedisCache", "redis_url": own.empty()}).browser(email("admin"))
    browser.get("/dashboard")
    own.stop()
    own.start()
    with capture_logs() as lines:
        for _look in range(3):
            assert browser.get("/dashboard").status_code == 200
    assert count.calls == 2
    assert [line for line in lines if "Redis" in line["event"]] == []


def test_figures_survive_json_as_they_are(clinic: Clinic) -> None:
    furnish(clinic)
    zone, doctor = clinic.house.settings.clinic.zone, clinic.people["doctor"].doctor_id
    assert doctor is not None
    counts: list[Callable[[Session], object]] = [
        lambda session: statistics.dashboard_stats(session, zone),
        lambda session: statistics.doctor_stats(session, doctor, zone),
        lambda session: statistics.desk_stats(session, zone),
    ]
    with clinic.house.reading() as session:
        for count in counts:
            found = count(session)
            assert json.loads(json.dumps(found)) == found
