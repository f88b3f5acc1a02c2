"""From the start of the process to its first answer, and the memory it then rests in."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from bench import memory
from bench.clinics import Bench, Clinic
from bench.service_process import free_port, launched
from bench.table import Row, in_turn, ratio_of
from bench.visitor import Visitor

HOMES = {
    "admin@demo.example": "/dashboard",
    "reception@demo.example": "/today",
    "doctor1@demo.example": "/today",
    "patient1@demo.example": "/appointments",
}
PATIENCE = 30.0


def rows(bench: Bench) -> Iterator[Row]:
    """The service and a bare one of the same libraries in turn."""
    clinic, log = bench.usual, bench.folder / "start.log"
    took = in_turn(bench.size(7, 2), lambda: _first_answer(_ours(clinic), log), lambda: _first_answer(_bare(), log))
    ours, bare = (median(each) for each in took)
    ratio = ratio_of(took)
    yield Row("Start to first answer", f"{ours:.2f} s", f"{bare:.2f} s, bare service", ratio, "< 1.5 s", ours < 1.5)
    idle, shown = _resting(_ours(clinic), log, visited=True)
    bare_idle, _ = _resting(_bare(), log, visited=False)
    beside, goal = f"{bare_idle:.0f} MiB, bare service", "< 110 MB"
    for what, size in (("Memory, idle", idle), ("… after a page of each role", shown)):
        yield Row(what, f"{size:.0f} MiB", beside, size / bare_idle, goal, size * 2**20 < 110e6)


Start = tuple[tuple[str, ...], int]
"""The words of a command and the port it will answer on."""


def _ours(clinic: Clinic) -> Start:
    port = free_port()
    return ("run.py", "serve", "--config", str(clinic.config), "--port", str(port)), port


def _bare() -> Start:
    port = free_port()
    return ("-m", "bench.bare_service", str(port)), port


def _first_answer(start: Start, log: Path) -> float:
    began = perf_counter()
    process = launched(*start[0], log=log)
    seconds = _wait(process, start[1], began)
    _end(process)
    return seconds


def _resting(start: Start, log: Path, *, visited: bool) -> tuple[float, float]:
    """MiB after three idle seconds, and three seconds after somebody of each role looked at a page."""
    process = launched(*start[0], log=log)
    _wait(process, start[1], perf_counter())
    sleep(3)
    idle = memory.resident(process.pid)
    if visited:
        for email, page in HOMES.items():
            Visitor(start[1], email).get(page)
        sleep(3)
    after = memory.resident(process.pid)
    _end(process)
    return idle, after


def _wait(process: subprocess.Popen[str], port: int, began: float) -> float:
    """Seconds since `began` until /livez answers."""
    while perf_counter() - began < PATIENCE and process.poll() is None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", "/livez")
                if connection.getresponse().status == 200:
                    return perf_counter() - began
            except (OSError, HTTPException):
                sleep(0.005)
    raise SystemExit("The service did not start.")


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=30)
