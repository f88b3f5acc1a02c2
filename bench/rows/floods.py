"""What a signed-in receptionist waits for the board of the day while strangers flood the service, and what it costs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from threading import Event, Thread
from time import perf_counter, sleep

from bench.data.clinics import Bench
from bench.rows.held import DESK
from bench.service.flooder import KINDS
from bench.service.memory import resident, temporary
from bench.service.process import Service, launched, serving
from bench.service.visitor import COOKIE, Visitor
from bench.table import Row, in_ms, ratio_of

PATIENT = "patient1@demo.example"
WHO = {"costly passwords": PATIENT, "costly searches": DESK, "free slots": PATIENT, "exports": PATIENT}
"""The user who sends each flood; any other flood comes from a visitor who is not signed in."""
ROUNDS = 3
GOAL = 3.0
SLOWEST = 1.0
ROOM = 64
QUIET_AFTER = 30


@dataclass
class Peaks:
    """The most MiB that were seen."""

    memory: float = 0
    files: float = 0


def rows(bench: Bench) -> Iterator[Row]:
    """On a demo clinic of a size that any clinic has; each flood three times, in turn with an idle stretch."""
    clinic = bench.usual.copied(bench.folder / "floods")
    requests = bench.size(100, 20)
    with serving(clinic) as service, ExitStack() as watched:
        desk = Visitor(service.port, DESK)
        _p99(desk, requests)
        people = {
            email: Visitor(service.port, email) for email in set(WHO.values())
        }  # a flood of sign-ins lets none in
        idle, peaks = resident(service.process.pid), Peaks()
        watched.enter_context(_watching(service, peaks))
        for kind in KINDS:
            pairs = [_measured(service, desk, people, kind, requests) for _turn in range(ROUNDS)]
            flooded, alone, floods = (list(column) for column in zip(*pairs, strict=True))
            ratio = ratio_of((flooded, alone))
            yield Row(
                f"/today during {kind}, p99",
                f"{in_ms(median(flooded))}, {median(floods):.0f} of the flood/s",
                f"{in_ms(median(alone))}, idle",
                ratio,
                f"<= {GOAL:g}, <= {SLOWEST:g} s",
                ratio <= GOAL and median(flooded) <= SLOWEST,
            )
        quiet = _until_quiet(service)
        memory = peaks.memory - idle
        yield Row("… peak memory over idle", f"{memory:.0f} MiB", "", None, f"<= {ROOM} MiB", memory <= ROOM)
        yield Row("… temporary files, peak", f"{peaks.files:.0f} MiB", "", None, f"<= {ROOM} MiB", peaks.files <= ROOM)
        yield Row("… back to idle after", f"{quiet:.0f} s", "", None, f"<= {QUIET_AFTER} s", quiet <= QUIET_AFTER)


def _measured(
    service: Service, desk: Visitor, people: Mapping[str, Visitor], kind: str, requests: int
) -> tuple[float, float, float]:
    """The receptionist's p99 during a flood and just before it, and what the flood brought per second."""
    alone = _p99(desk, requests)
    visitor = people[WHO[kind]].another() if kind in WHO else Visitor(service.port)
    with _flood(service, kind, visitor) as so_far:
        flooded = _p99(desk, requests)
    count, seconds = so_far()
    visitor.close()
    _until_quiet(service)
    return flooded, alone, count / seconds


@contextmanager
def _flood(service: Service, kind: str, visitor: Visitor) -> Iterator[Callable[[], tuple[int, int]]]:
    """A flood of a visitor's that has been on for a moment, for the length of a block.

    What it hands out tells afterwards what the flood brought, and in how many seconds.
    """
    page = {"exports": "/exports/new", "costly passwords": "/account"}.get(kind, "/" if kind in WHO else "/sign-in")
    token = visitor.form_token(page) if page != "/" else ""
    last = ""
    flooder = launched("-m", "bench.service.flooder", str(service.port), kind, f"{COOKIE}={visitor.token}", token)
    try:
        assert flooder.stdout is not None
        last = flooder.stdout.readline()
        yield lambda: (int(last.split()[0]), int(last.split()[2]))
    finally:
        flooder.kill()
        last = (last + flooder.communicate()[0]).rpartition("\n")[0].splitlines()[-1]


def _p99(desk: Visitor, requests: int) -> float:
    times = sorted(desk.timed("/today") for _turn in range(requests))
    return times[int(0.99 * (len(times) - 1))]


@contextmanager
def _watching(service: Service, peaks: Peaks) -> Iterator[None]:
    """Look at memory and temporary files ten times a second for the length of a block."""
    ended = Event()

    def look() -> None:
        while not ended.wait(0.1):
            peaks.memory = max(peaks.memory, resident(service.process.pid))
            peaks.files = max(peaks.files, temporary(service.process.pid))

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _until_quiet(service: Service) -> float:
    """Seconds until a stranger is let in and nothing lies in temporary files."""
    began = perf_counter()
    while temporary(service.process.pid):
        sleep(0.1)
    visitor = Visitor(service.port)
    visitor.get("/livez")
    visitor.close()
    return perf_counter() - began
