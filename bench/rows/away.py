"""What pages lose while Redis is away or does not answer: as the broker of workers, and as the shared cache."""

from collections.abc import Callable, Iterator
from time import perf_counter

from bench.data.clinics import Bench
from bench.table import Row, in_ms
from service.app import create_app
from service.config.settings import Jobs, Settings, load
from service.jobs.celery_backend import CeleryBackend
from service.wiring import connect
from tests.services import redis

MORE = 100
Call = Callable[[], object]


def rows(bench: Bench) -> Iterator[Row]:
    """The first call finds out; those after it do not ask."""
    try:
        yield from _rows("Broker", _handing_over, 2)
        yield from _rows("Cache", lambda address: _looking_up(bench, address), 1)
    except redis.NotFound as reason:
        yield Row("Redis away", f"not measured: {reason}", "", None, "", None)


def _handing_over(address: str) -> Call:
    """Hands work to the broker."""
    queue = CeleryBackend(Settings(jobs=Jobs(backend="celery", broker_url=address)))
    return lambda: queue.run(1)


def _looking_up(bench: Bench, address: str) -> Call:
    """Looks figures up in the shared cache."""
    clinic = bench.new(f"away-{address.rpartition(':')[2].partition('/')[0]}")
    more = f'[cache]\ntype = "RedisCache"\nredis_url = "{address}"\n'
    clinic.config.write_text(f"[server]\nport = 0\n{more}", encoding="utf-8")
    clinic.command("migrate")
    app = create_app(connect(load(clinic.config), "bench"))

    def look_up() -> object:
        with app.app_context():
            return app.extensions["rounds figures"].get("anything")

    return look_up


def _rows(what: str, prepare: Callable[[str], Call], goal: float) -> Iterator[Row]:
    with redis.alone() as server:
        call = prepare(server.empty())
        call()
        with server.silent():
            first, others = _timed(call, 1), _timed(call, MORE)
    yield Row(f"{what} silent, first call", in_ms(first), "", None, f"< {goal:g} s", first < goal)
    yield Row(f"… the next {MORE}", in_ms(others), "", None, "< 100 ms", others < 0.1)
    with redis.alone() as server:
        call = prepare(server.empty())
        call()
        server.stop()
        seconds = _timed(call, 20)
    yield Row(f"{what} away, 20 calls", in_ms(seconds), "", None, "< 2 s", seconds < 2)


def _timed(call: Call, times: int) -> float:
    began = perf_counter()
    for _turn in range(times):
        call()
    return perf_counter() - began
