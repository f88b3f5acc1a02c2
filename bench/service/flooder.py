"""Floods a service until it is ended: `python -m bench.service.flooder PORT KIND COOKIE FORM_TOKEN`.

It runs with the least priority: in life its work would be another computer's.
"""

import itertools
import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from threading import Thread
from time import sleep
from typing import NamedTuple
from urllib.parse import urlencode

MIB = 1024 * 1024
CROWD = 16
FORM = "application/x-www-form-urlencoded"
POST = f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\n"


class Target(NamedTuple):
    """What is flooded, and as whom."""

    port: int
    cookie: str
    form_token: str


Counting = Callable[[], object]
"""Called for each connection or answer."""
Flood = Callable[[Target, Counting, int], None]
"""What one thread does for ever."""


def _connections(crowd: int, said: bytes, again: bytes) -> Flood:
    """So many connections that say something, then a little more every second; who was cut off comes back."""

    def flood(target: Target, count: Counting, _number: int) -> None:
        held: list[socket.socket | None] = [None] * crowd
        while True:
            for at, one in enumerate(held):
                try:
                    if one is None:
                        held[at] = one = socket.create_connection(("127.0.0.1", target.port), timeout=1)
                        one.sendall(said)
                        count()
                    else:
                        one.sendall(again)
                except OSError:
                    if one is not None:
                        one.close()
                    held[at] = None
            sleep(1)

    return flood


def _requests(method: str, path: str, **fields: str) -> Flood:
    """The same request through one kept connection, again and again."""

    def flood(target: Target, count: Counting, number: int) -> None:
        form = {"csrf_token": target.form_token, **fields}
        body = urlencode({key: value.replace("#", str(number)) for key, value in form.items()})
        headers = {"Cookie": target.cookie, "Content-Type": FORM}
        while True:
            with (
                suppress(OSError, HTTPException),
                closing(HTTPConnection("127.0.0.1", target.port, timeout=60)) as line,
            ):
                while True:
                    line.request(method, path, body if method == "POST" else None, headers)
                    line.getresponse().read()
                    count()

    return flood


def _pieces(said: bytes) -> Flood:
    """Something long on a new connection each time, until the service says no."""

    def flood(target: Target, count: Counting, _number: int) -> None:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", target.port), timeout=10) as line:
                line.sendall(said)
                count()
                line.recv(4096)

    return flood


UNFINISHED = f"{POST}Content-Length: {MIB}\r\n\r\n".encode() + b"a" * (MIB - 1)
KINDS: Mapping[str, tuple[int, Flood]] = {
    "slow connections": (1, _connections(520, b"GET /sign-in HTTP/1.1\r\nHost: 127", b"0")),
    "large bodies": (20, _pieces(f"{POST}Content-Length: {16 * MIB - 1}\r\n\r\n".encode() + b"a" * 16 * (MIB - 1))),
    "unfinished bodies": (3, _connections(30, UNFINISHED, b"")),
    "large headers": (CROWD, _pieces(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 200_000)),
    "sign-ins": (CROWD, _requests("POST", "/sign-in", email="ghost#@clinic.example", password="4" * 64)),
    "costly passwords": (CROWD, _requests("POST", "/account/password", current_password="no", password="p4$$w0rd" * 8)),
    "costly searches": (CROWD, _requests("GET", "/patients?q=an")),
    "free slots": (CROWD, _requests("GET", "/appointments/new")),
    "exports": (CROWD, _requests("POST", "/exports", format="csv")),
}
"""Kind -> by how many threads it comes, and what each does."""


def main() -> None:
    """Flood for ever, and say every second how much it was so far."""
    port, kind, cookie, form_token = sys.argv[1:5]
    if hasattr(os, "nice"):
        os.nice(19)
    threads, flood = KINDS[kind]
    target, so_far = Target(int(port), cookie, form_token), itertools.count()
    for number in range(threads):
        Thread(target=flood, args=(target, so_far.__next__, number), daemon=True).start()
    for second in itertools.count(1):
        sleep(1)
        print(f"{next(so_far) - second + 1} in {second}", flush=True)


if __name__ == "__main__":
    main()
