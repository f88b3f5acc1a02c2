"""Another program holds the database, a hundred visitors say nothing, requests make no sense: the others are served."""

import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from service import clock
from service.storage.models import Patient
from tests import patience
from tests.crowd import together
from tests.faults.clinic import begun_visits
from tests.faults.disks import missing
from tests.faults.test_kill import assert_treatments_are_whole, write_treatments
from tests.house import House
from tests.patience import until
from tests.process.launching import Client, Service, configure, rows, serving

MIB = 1024 * 1024


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """A service with a doctor."""
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    configure(tmp_path)
    with serving(tmp_path) as running:
        yield running
        assert running.client().get("/livez").text == "ok\n"
        assert running.stop() == 0


@pytest.mark.sqlite("a lock of the file; of PostgreSQL's locks is tests/faults/test_postgresql.py")
def test_f9_while_another_program_holds_the_database_writing_is_refused_and_reading_goes_on(
    house: House, service: Service, tmp_path: Path
) -> None:
    visit = house.visit(1, house.patient("Eve"), clock.now() - timedelta(minutes=5))
    form = f"/appointments/{visit}/treatment"
    writer, reader = service.client("ada@clinic.example"), service.client("ada@clinic.example")
    assert reader.get("/today").status == 200
    with closing(sqlite3.connect(tmp_path / "rounds.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        finish = writer.begin_post(form, {"diagnosis": "Cold"})
        for path in ("/today", form, f"/appointments/{visit}", "/reports", "/livez") * 2:
            assert reader.get(path).status == 200
        refused = finish()
        other.execute("ROLLBACK")
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) > 0
    assert "Nothing was changed" in refused.text
    assert writer.post(form, {"diagnosis": "Cold"}).status == 303


def answer_to(service: Service, request: bytes) -> int:
    """The status of the first answer to raw bytes; 0 when the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=patience.SECONDS) as connection:
        received = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while b"\r\n" not in received and (piece := connection.recv(4096)):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return int(received.split()[1]) if received else 0


HOST = b"Host: 127.0.0.1\r\n"
NONSENSE = {
    "not http at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no path": b"GET\r\n\r\n",
    "no version": b"GET /%00%ff%zz\r\n\r\n",
    "no host": b"GET /sign-in HTTP/1.1\r\n\r\n",
    "another host": b"GET /sign-in HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a header without a colon": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a header with a NUL": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"X-A: \x00\r\n\r\n",
    "a folded header": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "a negative length": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "a length in words": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: many\r\n\r\n",
    "two lengths": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
    "a broken chunk": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "an unknown coding": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: foo\r\n\r\n",
    "a header of 300 KiB": b"GET /sign-in HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 300 * 1024 + b"\r\n\r\n",
    "a path that climbs": b"GET /static/../../config.toml HTTP/1.1\r\n" + HOST + b"\r\n",
    "a NUL in the path": b"GET /exports/%00 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    "an unknown method": b"BREW /sign-in HTTP/1.1\r\n" + HOST + b"\r\n",
    "a form without its token": b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\na",
}


def test_f24_requests_that_make_no_sense_are_refused_and_the_service_lives(service: Service) -> None:
    answers = {name: answer_to(service, request) for name, request in NONSENSE.items()}
    assert {name: status for name, status in answers.items() if not 300 <= status < 500 and status != 501} == {}
    assert answers["another host"] == answers["a form without its token"] == 400
    assert answers["a header of 300 KiB"] == 431
    assert answers["an unknown method"] == 405


@pytest.mark.flood
def test_w8_a_body_that_is_too_large_is_refused_and_a_huge_one_before_it_is_read(service: Service) -> None:
    head = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
    assert answer_to(service, head + f"Content-Length: {2 * MIB}\r\n\r\n".encode() + b"a" * 2 * MIB) == 413
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    assert answer_to(service, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 32 + b"0\r\n\r\n") == 413
    assert answer_to(service, head + f"Content-Length: {30 * MIB}\r\n\r\n".encode() + b"a" * 1000) == 413


@pytest.mark.flood
def test_f21_a_hundred_and_ten_visitors_who_say_nothing_do_not_keep_others_out(service: Service) -> None:
    for said in (b"", b"GET /sign-in HTTP/1.1\r\nHost: 127"):
        with ExitStack() as idle:
            for _turn in range(110):
                connection = idle.enter_context(
                    socket.create_connection(("127.0.0.1", service.port), timeout=patience.SECONDS)
                )
                connection.sendall(said)
            assert Client(service.url).get("/livez").status == 200
            assert service.client("ada@clinic.example").get("/today").status == 200


@pytest.mark.sqlite("writers take turns; on PostgreSQL the later one is told that the row has changed")
def test_f10_writers_that_read_first_take_turns_and_lose_nothing(house: House) -> None:
    patient = house.patient("0")

    def count(_number: int) -> None:
        for _turn in range(20):
            with house.writing() as session:
                found = session.get_one(Patient, patient)
                found.name = str(int(found.name) + 1)

    together(6, count)
    with house.reading() as session:
        assert session.get_one(Patient, patient).name == "120"


@pytest.mark.flood
def test_f25_a_signal_under_load_ends_it_and_loses_nothing(house: House, tmp_path: Path) -> None:
    configure(tmp_path)
    ada = house.user("doctor", "ada@clinic.example", "Dr Ada")
    assert ada.doctor_id is not None
    visits = begun_visits(house, ada.doctor_id, house.patient("Eve"), 2000)
    acknowledged: dict[int, str] = {}
    with serving(tmp_path) as service:
        clients = [service.client("ada@clinic.example") for _number in range(6)]
        writers = [Thread(target=write_treatments, args=(client, visits, acknowledged)) for client in clients]
        for writer in writers:
            writer.start()
        until(lambda: len(acknowledged) >= 30)
        assert service.stop() == 0
        for writer in writers:
            writer.join(patience.SECONDS)
    assert_treatments_are_whole(tmp_path, acknowledged)


@pytest.mark.foreign
@pytest.mark.sqlite("a disk of the service's own; PostgreSQL's is the server's")
@pytest.mark.parametrize("call", ["fsync,fdatasync", "pwrite64"])
def test_f8_a_disk_that_reports_errors_refuses_with_an_explanation_and_loses_nothing(
    house: House, tmp_path: Path, call: str
) -> None:
    """From the outside, by strace: the disk of the running service is broken for a while."""
    if shutil.which("strace") is None:
        missing("strace")
    configure(tmp_path)
    house.user("doctor", "ada@clinic.example", "Dr Ada")
    visits = [house.visit(1, house.patient("Eve"), clock.now() - timedelta(minutes=5 + turn)) for turn in range(3)]
    with serving(tmp_path) as service:
        client = service.client("ada@clinic.example")
        assert client.post(f"/appointments/{visits[0]}/treatment", {"diagnosis": "before"}).status == 303
        inject = ["-e", f"inject={call}:error=EIO", "-e", f"trace={call}", "-o", str(tmp_path / "strace")]
        breaker = subprocess.Popen(
            ["strace", "-f", "-p", str(service.process.pid), *inject], stderr=subprocess.PIPE, text=True
        )
        with breaker:
            assert breaker.stderr is not None
            if "attached" not in breaker.stderr.readline():
                missing("the right to trace a process")
            refused = client.post(f"/appointments/{visits[1]}/treatment", {"diagnosis": "during"})
            breaker.send_signal(signal.SIGINT)
            breaker.stderr.read()
        assert refused.status == 503
        assert "Nothing was changed" in refused.text
        assert client.get(f"/appointments/{visits[0]}/treatment").status == 200
        assert client.post(f"/appointments/{visits[2]}/treatment", {"diagnosis": "after"}).status == 303
        assert service.stop() == 0
    assert rows(tmp_path, "SELECT diagnosis FROM treatments ORDER BY id") == [("before",), ("after",)]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
