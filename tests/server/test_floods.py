"""Floods: whatever strangers pile up at the door, a receptionist gets her pages and the computer keeps its room."""

import re
import select
import socket
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from service.server.quotas import ALL, ALL_STRANGERS, PER_NETWORK, PER_STAFF_NETWORK
from tests import patience
from tests.faults.clinic import big_history
from tests.house import House
from tests.patience import until
from tests.process.consumption import files, memory, sockets, temporary_files
from tests.process.launching import Client, Service, configure, serving

pytestmark = [
    pytest.mark.flood,
    pytest.mark.skipif(sys.platform != "linux", reason="memory and temporary files are read from /proc"),
]
MIB = 1024 * 1024
MOST = 64
"""MiB over idle, of memory and of temporary files."""
DESK, OTHER_DESK, PATIENT = "desk@clinic.example", "other@clinic.example", "eve@clinic.example"
FORM = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"


class Idle(NamedTuple):
    """What the service uses while nothing happens."""

    memory: float
    sockets: int
    files: int


@pytest.fixture
def service(house: House, tmp_path: Path) -> Iterator[Service]:
    """A service with a doctor who has hours, two receptionists and a patient."""
    doctor = house.user("doctor", "ada@clinic.example", "Dr Ada")
    house.hours(doctor.doctor_id)
    house.user("receptionist", DESK)
    house.user("receptionist", OTHER_DESK)
    house.user("patient", PATIENT)
    configure(tmp_path)
    with serving(tmp_path) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def desk(service: Service) -> Client:
    """A receptionist at work."""
    client = service.client(DESK)
    for _turn in range(3):
        assert client.get("/today").status == 200
    return client


@pytest.fixture
def idle(service: Service, desk: Client) -> Idle:
    """Before the flood."""
    assert desk.get("/patients?q=eve").status == 200
    return Idle(memory(service.process.pid), sockets(service.process.pid), files(service.process.pid))


@contextmanager
def dripping(connections: Sequence[socket.socket], byte: bytes) -> Iterator[None]:
    """Each connection says so much more every second for the length of a block."""
    stopped = Event()

    def drip() -> None:
        while not stopped.wait(1):
            for one in connections:
                with suppress(OSError):
                    one.send(byte)

    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(drip)
        try:
            yield
        finally:
            stopped.set()
            turn.result()


def works(desk: Client, service: Service, idle: Idle) -> None:
    """The receptionist gets her pages, and memory and temporary files stay within bounds meanwhile."""
    for _turn in range(5):
        assert desk.get("/today").status == 200
        assert memory(service.process.pid) - idle.memory <= MOST
        assert temporary_files(service.process.pid) <= MOST


def is_idle_again(service: Service, idle: Idle) -> None:
    """After a flood nothing of it is left."""
    until(lambda: sockets(service.process.pid) <= idle.sockets, 60)
    assert temporary_files(service.process.pid) == 0
    assert memory(service.process.pid) - idle.memory <= MOST


def knocking(service: Service, stack: ExitStack, said: bytes, listens: int | None = None) -> socket.socket:
    """A connection that says something and waits; `listens` are the bytes it takes in without being read."""
    made = stack.enter_context(closing(socket.socket()))
    made.settimeout(patience.SECONDS)
    if listens is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, listens)
    made.connect(("127.0.0.1", service.port))
    with suppress(OSError):  # it may be refused already
        made.sendall(said)
    return made


def answer(connection: socket.socket) -> bytes:
    """What a connection is answered; empty when it is only closed."""
    received = b""
    with suppress(OSError):
        while piece := connection.recv(65536):
            received += piece
    return received


def status(received: bytes) -> int:
    return int(received.split()[1]) if received else 0


def are_plain(answers: list[bytes]) -> bool:
    """Whether each refusal is one short sentence, with the time to try again where that is of use."""
    for received in filter(None, answers):
        head, _, body = received.partition(b"\r\n\r\n")
        if len(body) > 200 or body.count(b"\n") != 1 or b".\n" not in body:
            return False
        if status(received) in (429, 503) and b"\r\nRetry-After: " not in head:
            return False
    return True


def test_h18_slow_connections_from_one_address_keep_their_places_for_seconds_and_others_none(
    service: Service, desk: Client, idle: Idle
) -> None:
    kept = HTTPConnection("127.0.0.1", service.port, timeout=patience.SECONDS)
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in desk.cookies.items())}

    def get_again() -> int:
        kept.request("GET", "/today", headers=cookie)
        kept.getresponse().read()
        assert kept.sock is not None
        return kept.sock.fileno()

    with ExitStack() as stack, closing(kept):
        connection = get_again()
        slow = [knocking(service, stack, b"GET /sign-in HTTP/1.1\r\nHost: 127") for _number in range(520)]
        until(lambda: sockets(service.process.pid) <= idle.sockets + ALL.connections)
        works(desk, service, idle)
        assert get_again() == connection, "the flood takes no place of the desk's own"
        kept.close()
        with dripping(slow, b"0"):
            until(lambda: sockets(service.process.pid) <= idle.sockets)
        answers = [answer(one) for one in slow]
    assert {status(one) for one in answers} <= {0, 408, 503}
    assert sum(status(one) == 408 for one in answers) <= PER_STAFF_NETWORK.connections
    assert any(status(one) == 408 for one in answers)
    works(desk, service, idle)
    is_idle_again(service, idle)
    assert service.err.read_text(encoding="utf-8").count("refused at the door") < 30


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n\r\n",
        FORM + b"Content-Length: 500000\r\n\r\na",
        FORM + b"Transfer-Encoding: chunked\r\n\r\nffff\r\na",
    ],
    ids=["nothing", "blank lines", "a body", "a chunk"],
)
def test_h18_nobody_keeps_a_place_by_a_byte_now_and_then(
    service: Service, desk: Client, idle: Idle, said: bytes
) -> None:
    more = b"\r\n\r\n" if said == b"\r\n\r\n" else b"" if not said else b"a"
    with ExitStack() as stack:
        held = [knocking(service, stack, said) for _number in range(20)]
        with dripping(held, more):
            works(desk, service, idle)
            until(lambda: sockets(service.process.pid) <= idle.sockets)
        answers = [answer(one) for one in held]
    assert {status(one) for one in answers} <= ({0} if said.strip() == b"" else {0, 408})
    assert are_plain(answers)


@pytest.mark.parametrize("sends", ["by its length", "in chunks"])
def test_h19_a_body_that_is_too_large_is_refused_before_it_lies_anywhere(
    service: Service, desk: Client, idle: Idle, sends: str
) -> None:
    if sends == "in chunks":
        said = FORM + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b"a" * 0x10000 + b"\r\n") * 48
    else:
        said = FORM + f"Content-Length: {16 * MIB - 1}\r\n\r\n".encode() + b"a" * 3 * MIB
    with ExitStack() as stack, ThreadPoolExecutor(20) as pool:
        held = list(pool.map(lambda _number: knocking(service, stack, said), range(20)))
        works(desk, service, idle)
        answers = list(pool.map(answer, held))
    assert {status(one) for one in answers} <= {0, 413, 503}
    assert sum(status(one) == 413 for one in answers) >= (10 if sends == "by its length" else 1)
    assert are_plain(answers)
    is_idle_again(service, idle)


def test_h19_many_bodies_that_are_never_finished_share_a_budget(service: Service, desk: Client, idle: Idle) -> None:
    said = FORM + f"Content-Length: {MIB}\r\n\r\n".encode() + b"a" * (MIB - 1)
    with ExitStack() as stack, ThreadPoolExecutor(10) as pool:
        held = list(pool.map(lambda _number: knocking(service, stack, said), range(90)))
        works(desk, service, idle)
        answers = list(pool.map(answer, held))
    assert {status(one) for one in answers} <= {0, 408, 429, 503}
    assert any(status(one) in (429, 503) for one in answers)
    assert are_plain(answers)
    is_idle_again(service, idle)


def test_requests_that_do_not_wait_for_an_answer_hold_no_files_open(service: Service, desk: Client, idle: Idle) -> None:
    found = re.search(r'href="(/static/[^"]+[.]css[^"]*)"', desk.get("/today").text)
    assert found is not None
    one = f"GET {found[1]} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with ExitStack() as stack:
        held = [knocking(service, stack, one * 100) for _number in range(PER_STAFF_NETWORK.connections)]
        until(lambda: all(select.select([one], [], [], 0)[0] for one in held))  # each has begun to be answered
        assert files(service.process.pid) - idle.files <= len(held)
        works(desk, service, idle)
        answers = [answer(one) for one in held]
    assert {one.count(b"HTTP/1.1 200 ") for one in answers} == {1}
    is_idle_again(service, idle)


def test_h18_nobody_keeps_a_place_by_not_reading_the_answer(
    house: House, service: Service, desk: Client, idle: Idle
) -> None:
    big_history(house, "max@clinic.example", 100_000)
    max_ = service.client("max@clinic.example")
    export = max_.post("/exports", {"format": "csv"}).location
    until(lambda: max_.get(f"{export}/file").status == 200)
    cookie = "; ".join(f"{name}={value}" for name, value in max_.cookies.items())
    one = f"GET {export}/file HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()
    with ExitStack() as stack:
        held = [knocking(service, stack, one, listens=2048) for _number in range(20)]
        works(desk, service, idle)
        until(lambda: sockets(service.process.pid) <= idle.sockets, 200)
        read = [answer(one) for one in held]
    for received in read:
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        assert len(body) < int(length[1])
    is_idle_again(service, idle)


def test_large_headers_are_refused_and_nothing_of_them_stays(service: Service, desk: Client, idle: Idle) -> None:
    said = b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Filler: " + b"a" * 200_000
    with ExitStack() as stack, ThreadPoolExecutor(10) as pool:
        held = list(pool.map(lambda _number: knocking(service, stack, said), range(300)))
        works(desk, service, idle)
        assert {status(one) for one in pool.map(answer, held)} <= {0, 431, 503}
    is_idle_again(service, idle)


@contextmanager
def repeated(count: int, begin: "Client", path: str, fields: dict[str, str] | None = None) -> Iterator[set[int]]:
    """The same request again and again through so many connections for the length of a block; the statuses seen."""
    stopped, seen = Event(), set[int]()
    token = begin.token() if fields is not None else ""

    def ask(_number: int) -> None:
        client = Client(begin.url, cookies=dict(begin.cookies), _token=token)
        while not stopped.is_set():
            with suppress(OSError):
                found = client.post(path, fields) if fields is not None else client.get(path)
                seen.add(found.status)

    with ThreadPoolExecutor(count) as pool:
        turns = [pool.submit(ask, number) for number in range(count)]
        try:
            until(lambda: seen)
            yield seen
        finally:
            stopped.set()
            for turn in turns:
                turn.result()


def test_a_crowd_of_costly_requests_waits_its_turn_and_the_desk_goes_on(
    service: Service, desk: Client, idle: Idle
) -> None:
    patient, other = service.client(PATIENT), service.client(OTHER_DESK)
    wrong = {"email": "ghost@clinic.example", "password": "4" * 64}
    with repeated(16, service.client(), "/sign-in", wrong) as seen:
        works(desk, service, idle)
        until(lambda: 429 in seen)
    change = {"current_password": "wrong", "password": "p4$$w0rd" * 8}
    with repeated(16, patient, "/account/password", change) as seen:
        works(desk, service, idle)
    assert seen <= {303, 422, 429}
    for browser, path in ((other, "/patients?q=e"), (patient, "/appointments/new"), (patient, "/exports/new")):
        with repeated(16, browser, path) as seen:
            works(desk, service, idle)
        assert 200 in seen
        assert seen <= {200, 429}, "whoever asks very often waits"
    with repeated(16, patient, "/exports", {"format": "csv"}) as seen:
        works(desk, service, idle)
    assert seen <= {303, 409, 429}
    is_idle_again(service, idle)


def passed_on(service: Service, address: str, **cookies: str) -> Client:
    """A visitor of the proxy."""
    return Client(service.url, headers={"X-Forwarded-For": address} if address else {}, cookies=dict(cookies))


def test_h18_behind_the_proxy_each_client_has_places_and_those_of_staff_are_kept(house: House, tmp_path: Path) -> None:
    house.user("receptionist", DESK)
    configure(tmp_path, '[server]\nport = 0\ntrusted_proxy = "127.0.0.1"\n')
    with serving(tmp_path) as service, ExitStack() as stack:
        desk = passed_on(service, "198.51.100.5")
        assert desk.sign_in(DESK).status == 303
        assert desk.get("/today").status == 200

        def holding(address: str) -> socket.socket:
            said = FORM + f"X-Forwarded-For: {address}\r\nContent-Length: 10\r\n\r\na".encode()
            return knocking(service, stack, said)

        for _number in range(PER_NETWORK.connections):
            holding("203.0.113.7")
        until(lambda: passed_on(service, "203.0.113.7").get("/livez").status == 429)
        assert passed_on(service, "203.0.113.8").get("/livez").status == 200
        with closing(holding("203.0.113.7")) as refused:
            received = answer(refused)
        assert (status(received), are_plain([received])) == (429, True)
        for number in range(ALL_STRANGERS.connections):
            holding(f"192.0.2.{number}")
        until(lambda: passed_on(service, "203.0.113.8").get("/livez").status == 503)
        assert passed_on(service, "").get("/livez").status == 503
        assert desk.get("/today").status == 200
        assert passed_on(service, "198.51.100.5").get("/livez").status == 200
        assert passed_on(service, "127.0.0.2").get("/livez").status == 200
