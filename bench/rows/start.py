"""From the start of the process to its first answer, and the memory it then rests in."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from bench.data.clinics import ROOT, Bench, Clinic
from bench.service import memory
from bench.service.process import free_port, launched
from bench.service.visitor import Visitor
from bench.table import Row, in_turn, ratio_of

HOMES = {
    "admin@demo.example": "/dashboard",
    "reception@demo.example": "/today",
    "doctor1@demo.example": "/today",
    "patient1@demo.example": "/appointments",
}
PATIENCE = 30.0
EXECUTABLE = ROOT / "dist" / "rounds"


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
    if EXECUTABLE.exists():
        yield from _executable(bench)


def _executable(bench: Bench) -> Iterator[Row]:
    """The first start of dist/rounds in a folder of its own, by the work it takes, and its stop."""
    clinic, port = bench.new("executable"), free_port()
    line = [str(EXECUTABLE), "serve", "--config", str(clinic.config), "--port", str(port)]
    process = subprocess.Popen(line, cwd=clinic.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    _wait(process, port, perf_counter())
    work = sum(_seconds_of_work(one) for one in (process.pid, *_children(process.pid)))
    yield Row("Executable, work of its first start", f"{work:.2f} s", "", None, "< 3 s", work < 3)
    began = perf_counter()
    _end(process)
    seconds = perf_counter() - began
    yield Row("… its stop", f"{seconds:.2f} s", "", None, "< 10 s", seconds < 10)


def _children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _seconds_of_work(process: int) -> float:
    """How long a process has kept a processor busy, however many others do so too."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Start = tuple[tuple[str, ...], int]
"""The words of a command and the port it will answer on."""


def _ours(clinic: Clinic) -> Start:
    port = free_port()
    return ("run.py", "serve", "--config", str(clinic.config), "--port", str(port)), port


def _bare() -> Start:
    port = free_port()
    return ("-m", "bench.twins.bare_service", str(port)), port


def _first_answer(start: Start, log: Path) -> float:
    began = perf_counter()
    process = launched(*start[0], log=log)
    seconds = _wait(process, start[1], began)
    _end(process)
    return seconds


def _resting(start: Start, log: Path, *, visited: bool) -> tuple[float, float]:
    """MiB after three idle seconds, and three seconds after someone of each role looked at a page."""
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
