"""What a page takes while something is in the way: another program holds the database, strangers hold connections."""

import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlencode

from bench.data.clinics import Bench, Clinic
from bench.service.process import Service, serving
from bench.service.visitor import COOKIE, Visitor
from bench.table import Row

STRANGERS = 110
DESK = "reception@demo.example"
PAGES = ("/today", "/patients", "/calendar", "/messages", "/livez")


def rows(bench: Bench) -> Iterator[Row]:
    """Both on a demo clinic of a size that any clinic has."""
    clinic = bench.usual.copied(bench.folder / "held")
    with serving(clinic) as service:
        yield from _held(service, clinic)
        yield _silent(service, b"", "who say nothing")
        yield _silent(service, b"GET /sign-in HTTP/1.1\r\nHost: 127", "who stop in the middle of a line")


def _held(service: Service, clinic: Clinic) -> Iterator[Row]:
    """A form that has to wait is refused in time, and reading goes on meanwhile."""
    desk = Visitor(service.port, DESK)
    fields = {"csrf_token": desk.form_token("/today"), "name": "Somebody New", "birth_date": "1980-01-02"}
    reader = desk.another()
    with closing(sqlite3.connect(clinic.database, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("BEGIN IMMEDIATE")
        refused = pool.submit(_post, service.port, desk.token, "/patients/new", fields)
        slowest = max(reader.timed(path) for path in PAGES * 2)
        status, seconds = refused.result()
        other.execute("ROLLBACK")
    yield Row("Database held, slowest page read", f"{slowest:.2f} s", "", None, "< 2 s", slowest < 2)
    right = status == 503 and 4 < seconds < 9
    yield Row("… a form is refused after", f"{seconds:.1f} s, {status}", "", None, "503 after 4 to 9 s", right)


def _post(port: int, token: str, path: str, fields: dict[str, str]) -> tuple[int, float]:
    """The status of a form and how long it took."""
    headers = {"Cookie": f"{COOKIE}={token}", "Content-Type": "application/x-www-form-urlencoded"}
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        began = perf_counter()
        connection.request("POST", path, urlencode(fields), headers)
        return connection.getresponse().status, perf_counter() - began


def _silent(service: Service, said: bytes, who: str) -> Row:
    with ExitStack() as idle:
        for _turn in range(STRANGERS):
            idle.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60)).sendall(said)
        began = perf_counter()
        visitor = Visitor(service.port)
        visitor.get("/livez")
        seconds = perf_counter() - began
        visitor.close()
    return Row(f"A page beside {STRANGERS} {who}", f"{seconds:.2f} s", "", None, "< 3 s", seconds < 3)
