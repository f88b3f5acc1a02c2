"""From SIGTERM to the end of the process: at rest, under load, while an export is written; and a backend's own stop."""

from collections.abc import Callable, Iterator
from http.client import HTTPException
from threading import Event, Thread
from time import perf_counter, sleep

from bench.data import press_data
from bench.data.clinics import Bench, Clinic
from bench.service.process import RUN, Service, serving
from bench.service.visitor import Visitor
from bench.table import Row
from service.config.settings import load
from service.wiring import connect

GOAL = 10.0
WRITERS = 6


def rows(bench: Bench) -> Iterator[Row]:
    """Each is stopped once, as systemd does it."""
    yield _row("Stop at rest", _stopped(bench.usual, lambda _service: None))
    clinic = bench.new("stopped")
    tokens = press_data.fill(clinic, max(WRITERS, bench.size(100, 10)))
    yield _row(f"… while {WRITERS} people load pages", _stopped(clinic, lambda service: _pressing(service, tokens)))
    yield _row(f"… while {len(tokens)} exports are written", _stopped(clinic, lambda one: _exporting(one, tokens)))
    empty = bench.new("backend")
    empty.command("migrate")
    yield from _backend(empty)


def _row(what: str, seconds: float, goal: float = GOAL) -> Row:
    return Row(what, f"{seconds:.2f} s", "", None, f"< {goal:g} s", seconds < goal)


def _stopped(clinic: Clinic, busy: Callable[[Service], None]) -> float:
    with serving(clinic, RUN) as service:
        busy(service)
        began = perf_counter()
        service.stop()
        seconds = perf_counter() - began
        assert service.process.returncode == 0, "it did not end well"
    return seconds


def _pressing(service: Service, tokens: list[str]) -> None:
    """Returns once everyone loads one page after the other, until no one answers."""
    all_at_it = [Event() for _writer in range(WRITERS)]

    def load_pages(token: str, at_it: Event) -> None:
        try:
            visitor = Visitor(service.port, token=token)
            while True:
                visitor.get("/treatments")
                at_it.set()
        except (OSError, HTTPException, AssertionError):  # the last request may be told that it is over
            return

    for token, at_it in zip(tokens, all_at_it, strict=False):
        Thread(target=load_pages, args=(token, at_it), daemon=True).start()
    for at_it in all_at_it:
        at_it.wait()


def _exporting(service: Service, tokens: list[str]) -> None:
    """Returns once everyone has asked for the history."""
    for token in tokens:
        patient = Visitor(service.port, token=token)
        patient.post("/exports", form="/treatments")
        patient.close()


def _backend(clinic: Clinic) -> Iterator[Row]:
    """Threads alone, without a server around them."""
    for what, start in (("… a backend that never started", False), ("… a backend at rest", True)):
        wiring = connect(load(clinic.config), "bench")
        if start:
            wiring.queue.start()
            sleep(1)
        began = perf_counter()
        wiring.queue.stop(5)
        yield _row(what, perf_counter() - began, 2)
        wiring.database.close()
