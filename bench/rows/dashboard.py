"""The admin's dashboard: from the cache, on a cold miss with a million appointments, and a hundred misses at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from statistics import median
from threading import Barrier
from time import perf_counter, sleep

from bench.data.clinics import Bench, Clinic
from bench.service.process import Service, serving
from bench.service.visitor import Visitor
from bench.table import Row, in_ms, in_turn, ratio_of
from bench.twins import dashboard_service

PAGE = "/dashboard"
ADMIN = "admin@demo.example"
REPLACED = ("-m", "bench.twins.dashboard_service")
CONNECTIONS = 4
CROWD = 100


def rows(bench: Bench) -> Iterator[Row]:
    """All three, on the small and the large clinic."""
    yield _cached(bench)
    yield from _cold(bench)
    yield _crowd(bench)


def _cached(bench: Bench) -> Row:
    """Requests a second from the cache beside the same service with a constant dict."""
    twin = bench.usual.copied(bench.folder / "usual-constant")
    seconds = 0.3 if bench.quick else 1.5
    with serving(bench.usual) as ours, serving(twin, (*REPLACED, "constant")) as yardstick:
        people = [Visitor(service.port, ADMIN) for service in (ours, yardstick)]
        for visitor in people:
            _speed(visitor, seconds / 3)
        speeds = in_turn(bench.size(13, 2), lambda: _speed(people[0], seconds), lambda: _speed(people[1], seconds))
    ratio = ratio_of(speeds)
    words = [f"{median(each):,.0f} requests/s" for each in speeds]
    return Row(
        "Dashboard from the cache, 4 connections", words[0], f"{words[1]}, constant dict", ratio, ">= 0.9", ratio >= 0.9
    )


def _speed(visitor: Visitor, seconds: float) -> float:
    """Dashboards a second through four kept connections."""

    def load(one: Visitor) -> int:
        pages = 0
        while perf_counter() < end:
            one.get(PAGE)
            pages += 1
        one.close()
        return pages

    several = [visitor.another() for _ in range(CONNECTIONS)]
    start = perf_counter()
    end = start + seconds
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        pages = sum(pool.map(load, several))
    return pages / (perf_counter() - start)


def _cold(bench: Bench) -> Iterator[Row]:
    """The whole request when the figures must be computed, after the start and later, large beside small."""
    first: dict[str, float] = {}

    def miss(visitor: Visitor) -> float:
        sleep(1.05)  # until what the cache keeps is too old
        return visitor.timed(PAGE)

    with _forgetful(bench.large) as large, _forgetful(bench.small) as small:
        people = [Visitor(service.port, ADMIN) for service in (large, small)]
        first = {name: visitor.timed(PAGE) for name, visitor in zip(("large", "small"), people, strict=True)}
        took = in_turn(bench.size(9, 2), lambda: miss(people[0]), lambda: miss(people[1]))
    visits, goal = f"{bench.large.visits:,} visits", "<= 300 ms"
    beside = f"at {bench.small.visits:,} visits"
    usual, small_usual = (median(each) for each in took)
    yield Row(
        f"Dashboard, cold miss, {visits}",
        in_ms(usual),
        f"{in_ms(small_usual)} {beside}",
        ratio_of(took),
        goal,
        usual <= 0.3,
    )
    yield Row(
        "… the first after the start",
        in_ms(first["large"]),
        f"{in_ms(first['small'])} {beside}",
        first["large"] / first["small"],
        goal,
        first["large"] <= 0.3,
    )


def _forgetful(clinic: Clinic) -> AbstractContextManager[Service]:
    """A service whose cache keeps the figures for a second."""
    return serving(clinic, ROUNDS_CACHE_STATISTICS_SECONDS="1")


def _crowd(bench: Bench) -> Row:
    """A hundred browsers ask at the same moment while the cache is empty."""
    with serving(bench.large, (*REPLACED, "counted")) as service:
        admin = Visitor(service.port, ADMIN)
        crowd = [admin.another() for _ in range(CROWD)]
        gate = Barrier(CROWD)

        def ask(one: Visitor) -> float:
            gate.wait()
            return one.timed(PAGE)

        with ThreadPoolExecutor(CROWD) as pool:
            took = list(pool.map(ask, crowd))
        warm = median(admin.timed(PAGE) for _ in range(5))
        computed = service.stop().count(dashboard_service.COMPUTED)
    words = f"computed {computed} time{'s' if computed != 1 else ''}, slowest answer {in_ms(max(took))}"
    alone = f"{in_ms(warm)}, one from the cache"
    return Row(
        f"Dashboard, {CROWD} simultaneous misses", words, alone, max(took) / warm, "computed once", computed == 1
    )
