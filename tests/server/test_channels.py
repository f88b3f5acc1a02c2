"""Connections in one loop without threads, so that what happens between two of its turns can be told."""

import re
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from time import monotonic
from typing import Any

import pytest
from waitress import wasyncore
from waitress.adjustments import Adjustments

from service.process.known_clients import KnownClients
from service.server import channels, incoming
from service.server.bodies import LARGEST_UPLOAD, QUESTION
from service.server.channels import Channel
from service.server.connections import Connections
from service.server.incoming import FIRST_SECONDS, IDLE_SECONDS, PROXY_IDLE_SECONDS, STUCK_SECONDS, Request
from service.server.listener import Listener
from service.server.quotas import PER_NETWORK, PER_STAFF_NETWORK, Quotas
from tests import patience

PROXY = "127.0.0.1"
LARGE = 512 * 1024
"""More bytes than a socket buffers before the other side reads."""


class Hall:
    """A listener whose loop turns, and whose requests are answered, when a test says so."""

    def __init__(self, stack: ExitStack, proxy: str = "") -> None:
        self.sockets: dict[int, Any] = {}
        self.waiting: deque[Any] = deque()
        self._stack = stack
        listening_sockets = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=200)))
        listening_sockets.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.address = listening_sockets.getsockname()
        self.connections = Connections(KnownClients(), proxy)
        self.listener = Listener(
            self._application,
            self.sockets,
            _sock=listening_sockets,
            connections=self.connections,
            dispatcher=self,
            adj=Adjustments(max_request_body_size=LARGEST_UPLOAD, sockets=[listening_sockets]),
            sockinfo=(listening_sockets.family, listening_sockets.type, listening_sockets.proto, self.address),
            bind_socket=False,
        )
        stack.callback(wasyncore.close_all, self.sockets, ignore_all=True)

    def add_task(self, task: Any) -> None:
        """Stands for the threads: the task waits until a test answers it."""
        self.waiting.append(task)

    def comes(self) -> socket.socket:
        """A visitor's connection, which the loop does not know yet."""
        made = self._stack.enter_context(closing(socket.socket()))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(patience.SECONDS)
        made.connect(self.address)
        return made

    def asks(self, visitor: socket.socket, path: str, address: str = "") -> None:
        """A visitor asks, also by way of the proxy."""
        named = f"X-Forwarded-For: {address}\r\n" if address else ""
        visitor.sendall(f"GET {path} HTTP/1.1\r\nHost: rounds\r\n{named}\r\n".encode())

    def turn(self) -> None:
        """One turn of the loop, by what Windows has too: it fails when it is to wait for a closed socket."""
        wasyncore.loop(timeout=0, use_poll=False, map=self.sockets, count=1)

    def work(self) -> None:
        """Read and answer all that is here."""
        for _turn in range(4):
            self.turn()
            self.answer()

    def answer(self) -> None:
        """What threads would do."""
        while self.waiting:
            self.waiting.popleft().service()

    def read(self, visitor: socket.socket) -> bytes:
        """All that a visitor is sent: a whole answer, and what else comes with it."""
        visitor.setblocking(False)
        received, silent, deadline = b"", 0, monotonic() + patience.SECONDS
        while silent < 3 and monotonic() < deadline:
            self.turn()
            try:
                piece = visitor.recv(1024 * 1024)
            except BlockingIOError:
                self.answer()
                silent += has_ended(received)
                continue
            except ConnectionResetError:
                break
            if not piece:
                break
            received += piece
        visitor.settimeout(patience.SECONDS)
        return received

    def of(self, visitor: socket.socket) -> Channel | None:
        """The server's end of a visitor's connection, while it is open."""
        return next((one for one in self.listener.channels if one.addr[1] == visitor.getsockname()[1]), None)

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if QUESTION in environ:
            environ[QUESTION].append(LARGEST_UPLOAD)
            return []
        body = b"a" * (LARGE if environ["PATH_INFO"] == "/large" else 2)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def hall(stack: ExitStack) -> Hall:
    return Hall(stack)


@pytest.fixture
def behind_proxy(stack: ExitStack) -> Hall:
    return Hall(stack, PROXY)


def has_ended(received: bytes) -> bool:
    """Whether as much of an answer is here as its header says."""
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def is_whole(received: bytes, length: int) -> bool:
    """Whether this is one good answer, to its end, and nothing else."""
    return received.startswith(b"HTTP/1.1 200 OK") and len(received.partition(b"\r\n\r\n")[2]) == length


def test_h18_behind_the_proxy_an_answer_that_is_not_read_counts_for_its_client(behind_proxy: Hall) -> None:
    hall = behind_proxy
    slow = [hall.comes() for _number in range(PER_NETWORK.connections)]
    hall.work()
    for one in slow:
        hall.asks(one, "/large", "203.0.113.5")
    hall.work()
    more, other = hall.comes(), hall.comes()
    hall.work()
    hall.asks(more, "/", "203.0.113.5")
    hall.asks(other, "/", "203.0.113.6")
    assert hall.read(more).startswith(b"HTTP/1.1 429 ")
    assert is_whole(hall.read(other), 2)
    assert is_whole(hall.read(slow[0]), LARGE)
    hall.asks(slow[0], "/", "203.0.113.7")
    hall.asks(other, "/", "203.0.113.5")
    assert is_whole(hall.read(other), 2), "an answer that is out makes room"
    assert is_whole(hall.read(slow[0]), 2), "the proxy may use the connection for another client"


def test_h18_a_request_that_comes_as_its_place_is_given_away_is_answered_once_and_to_its_end(hall: Hall) -> None:
    waiting = [hall.comes() for _number in range(PER_STAFF_NETWORK.connections)]
    hall.work()
    for one in waiting:
        hall.asks(one, "/")
    hall.work()
    assert all(is_whole(hall.read(one), 2) for one in waiting[:3])
    first = min((one for one in hall.listener.channels), key=lambda one: one.patience)
    asking = next(one for one in waiting if hall.of(one) is first)
    newcomer = hall.comes()
    hall.asks(asking, "/large")
    hall.turn()
    assert hall.of(newcomer) is not None
    assert first.requests, "it was read in the turn that gave its place away"
    hall.answer()
    received = hall.read(asking)
    assert is_whole(received, LARGE)
    assert received.count(b"HTTP/1.1 ") == 1
    assert hall.of(asking) is None


def test_h18_a_place_is_taken_from_an_answer_that_is_long_unread_when_nobody_else_can_go(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [hall.comes() for _number in range(PER_STAFF_NETWORK.connections)]
    hall.work()
    for one in slow:
        hall.asks(one, "/large")
    hall.work()
    refused = hall.comes()
    assert b" 429 " in hall.read(refused)[:16]
    monkeypatch.setattr(channels, "monotonic", lambda: monotonic() + STUCK_SECONDS + 1)
    newcomer = hall.comes()
    hall.work()
    hall.asks(newcomer, "/")
    assert is_whole(hall.read(newcomer), 2)
    assert sum(hall.of(one) is None for one in slow) == 1


def test_h19_a_thread_that_lets_a_body_come_never_closes_the_connection(hall: Hall) -> None:
    visitor = hall.comes()
    visitor.sendall(b"POST / HTTP/1.1\r\nHost: rounds\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n")
    hall.turn()
    hall.turn()
    channel = hall.of(visitor)
    assert channel is not None
    assert hall.waiting
    visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    visitor.close()
    hall.answer()
    assert channel.socket is not None, "the loop may be waiting for it"
    hall.turn()
    hall.turn()
    assert channel.socket is None


def test_h18_a_newcomer_who_cannot_be_let_in_does_not_close_the_door(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_what: object) -> None:
        raise RuntimeError("no place can be looked up")

    with monkeypatch.context() as broken:
        broken.setattr(Quotas, "admit", fail)
        unlucky = hall.comes()
        assert hall.read(unlucky) == b""
        assert hall.of(unlucky) is None
    visitor = hall.comes()
    hall.turn()
    hall.asks(visitor, "/")
    assert is_whole(hall.read(visitor), 2)


def test_h18_one_connection_that_cannot_be_looked_at_does_not_end_the_loop(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, other = hall.comes(), hall.comes()
    hall.work()
    broken = hall.of(visitor)
    assert broken is not None

    def fail(_now: float) -> None:
        raise RuntimeError("the time cannot be told")

    monkeypatch.setattr(broken, "keep_time", fail)
    monkeypatch.setattr("service.server.listener.monotonic", lambda: monotonic() + 5)
    hall.turn()
    assert hall.of(visitor) is None
    hall.asks(other, "/")
    assert is_whole(hall.read(other), 2)


def test_h18_a_connection_that_took_too_long_ends_and_the_loop_goes_on(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = hall.comes()
    hall.work()
    assert hall.of(silent) is not None
    monkeypatch.setattr("service.server.listener.monotonic", lambda: monotonic() + FIRST_SECONDS + 5)
    hall.turn()
    assert hall.of(silent) is None
    assert hall.read(silent) == b""


@pytest.mark.parametrize(("proxy", "seconds"), [("", IDLE_SECONDS), (PROXY, PROXY_IDLE_SECONDS)])
def test_h18_a_connection_stays_open_between_requests_longer_than_a_proxy_keeps_one(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, proxy: str, seconds: float
) -> None:
    hall = Hall(stack, proxy)
    visitor = hall.comes()
    hall.work()
    hall.asks(visitor, "/", "203.0.113.5")
    assert is_whole(hall.read(visitor), 2)
    channel = hall.of(visitor)
    assert channel is not None
    later = monotonic() + seconds - 5
    channel.keep_time(later)
    monkeypatch.setattr(incoming, "monotonic", lambda: later)
    visitor.sendall(b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.5\r\n")
    hall.turn()
    channel.keep_time(later)
    visitor.sendall(b"\r\n")
    assert is_whole(hall.read(visitor), 2), "half a header is not late yet"
    channel.keep_time(monotonic() + seconds + 5)
    assert hall.of(visitor) is None


def test_h20_all_addresses_of_one_household_wait_in_one_line() -> None:
    connections = Connections(KnownClients(), PROXY)

    def line(address: str) -> str:
        request = Request(Adjustments())
        request.received(f"GET / HTTP/1.1\r\nX-Forwarded-For: {address}\r\n\r\n".encode())
        return connections.turn(PROXY, request).key

    assert line("2001:db8:1:1::1") == line("2001:db8:1:1:ffff::2")
    assert line("2001:db8:1:1::1") != line("2001:db8:1:2::1")
    assert line("203.0.113.5") == line("::ffff:203.0.113.5") != line("203.0.113.6")
