"""Fifty patients press at once: how long until all have their file, and what the desk's pages feel of it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter, sleep

from bench.data import crowd_data
from bench.data.clinics import Bench, Clinic
from bench.service.process import serving
from bench.service.visitor import Visitor
from bench.table import Row, in_ms, in_turn, ratio_of

EVERY = 1 / 20
"""Seconds between two requests of the desk."""
NEW = "UPDATE treatments SET updated_at = '2999-01-01 00:00:00.000000' WHERE id >= ?"


def rows(bench: Bench) -> Iterator[Row]:
    """All at once and one after the other, in turn; then again while the desk opens its day, and the desk alone."""
    patients, treatments, rounds = bench.size(50, 8), bench.size(2000, 200), bench.size(5, 1)
    clinic = bench.usual.copied(bench.folder / "crowd")
    tokens = crowd_data.add(clinic, patients, treatments)
    with closing(sqlite3.connect(clinic.database)) as connection, connection:
        connection.execute(NEW, (crowd_data.FIRST,))  # so that a press soon after another is not the same press
    idle: list[float] = []
    busy: list[float] = []
    with serving(clinic) as service, _Waiting(clinic) as waiting:
        people = [Visitor(service.port, token=token) for token in tokens]
        forms = [person.form_token("/treatments") for person in people]
        desk = Visitor(service.port, "reception@demo.example")

        def press(number: int) -> str:
            return people[number].press("/exports", {"csrf_token": forms[number]})

        def together() -> float:
            start = perf_counter()
            waiting.until_all([press(number) for number in range(patients)])
            return perf_counter() - start

        def in_turn_of_each() -> float:
            start = perf_counter()
            for number in range(patients):
                waiting.until_all([press(number)])
            return perf_counter() - start

        took = in_turn(rounds, together, in_turn_of_each)
        for _ in range(rounds):
            with _asking(desk, busy):
                seconds = together()
            with _asking(desk, idle):
                sleep(seconds)
    ratio, at_once, sums = ratio_of(took), median(took[0]), median(took[1])
    what, each = f"{patients} exports at once, {treatments:,} rows each", f"{sums:.2f} s, one after the other"
    yield Row(what, f"{at_once:.2f} s", each, ratio, "<= 1.3", ratio <= 1.3)
    late, usual = (quantiles(times, n=100)[98] for times in (busy, idle))
    yield Row("… /today meanwhile, p99", in_ms(late), f"{in_ms(usual)}, idle", late / usual, "<= 3", late <= 3 * usual)
    middle, resting = median(busy), median(idle)
    yield Row("… p50", in_ms(middle), f"{in_ms(resting)}, idle", middle / resting, "", None)


@contextmanager
def _asking(desk: Visitor, took: list[float]) -> Iterator[None]:
    """The desk opens its day twenty times a second for the length of the block."""
    enough, visitors = Event(), [desk.another() for _ in range(4)]

    def ask(visitor: Visitor, delay: float) -> None:
        due = perf_counter() + delay
        while not enough.wait(max(0.0, due - perf_counter())):
            took.append(visitor.timed("/today"))
            due += EVERY * len(visitors)

    threads = [Thread(target=ask, args=(visitor, EVERY * turn)) for turn, visitor in enumerate(visitors)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()
        for visitor in visitors:
            visitor.close()


class _Waiting:
    """Waits for exports by reading their rows, which disturbs the service less than its pages would."""

    def __init__(self, clinic: Clinic) -> None:
        self._connection = sqlite3.connect(f"file:{clinic.database}?mode=ro", uri=True)

    def __enter__(self) -> "_Waiting":
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def until_all(self, pages: Sequence[str]) -> None:
        ids = [page.rpartition("/")[2] for page in pages]
        marks = ",".join("?" * len(ids))
        query = f"SELECT count(*) FROM exports WHERE status = 'available' AND id IN ({marks})"
        deadline = perf_counter() + 120
        while self._connection.execute(query, ids).fetchone()[0] < len(set(ids)):
            assert perf_counter() < deadline, "the exports do not come"
            sleep(0.002)
