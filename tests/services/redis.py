"""A Redis for the tests: Debian's own, started on a free port in a folder of its own, or the one given.

ROUNDS_TEST_REDIS_URL names it; its databases 0 to 15 are emptied as the tests need them.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from time import monotonic, sleep
from typing import Any

from redis import Redis as Connection
from redis.exceptions import RedisError

from tests import patience

DATABASES = 16
PASSWORD = "a-password-for-no-log"


class NotFound(Exception):
    """There is no Redis here; the text says what was looked for."""


@dataclass
class Redis:
    """A running server that hands out empty databases."""

    address: str
    """Its URL without the number of a database."""
    _process: "subprocess.Popen[bytes] | None" = None
    _folder: Path = Path()
    _numbers: Iterator[int] = field(default_factory=lambda: cycle(range(DATABASES)))

    def empty(self) -> str:
        """The URL of a database with nothing in it."""
        url = f"{self.address}/{next(self._numbers)}"
        connect(url).flushdb()
        return url

    def stop(self) -> None:
        """End it; what it holds is forgotten."""
        assert self._process is not None, "somebody else's"
        self._process.kill()
        self._process.wait(patience.SECONDS)

    def start(self) -> None:
        """Start it again on the same port, with nothing in it."""
        self._process = _start(int(self.address.rpartition(":")[2]), self._folder)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """It takes connections and does not answer."""
        assert self._process is not None, "somebody else's"
        self._process.send_signal(SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(SIGCONT)


def connect(url: str) -> Any:
    """A connection of the tests' own."""
    return Connection.from_url(url, socket_timeout=patience.SECONDS)


@contextmanager
def running() -> Iterator[Redis]:
    """A Redis for as long as the block lasts. Raises NotFound."""
    given = os.environ.get("ROUNDS_TEST_REDIS_URL")
    if given:
        yield Redis(given.rstrip("/").removesuffix("/0"))
        return
    with alone() as server:
        yield server


@contextmanager
def alone() -> Iterator[Redis]:
    """A Redis of the test's own, to be stopped and started. Raises NotFound."""
    if shutil.which("redis-server") is None:
        raise NotFound("no redis-server on the search path, and no ROUNDS_TEST_REDIS_URL")
    folder = Path(tempfile.mkdtemp(prefix="rounds-redis-"))
    port = free_port()
    server = Redis(f"redis://:{PASSWORD}@127.0.0.1:{port}", _start(port, folder), folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port no one listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _start(port: int, folder: Path) -> "subprocess.Popen[bytes]":
    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--dir", str(folder)]
    nothing_kept = ["--save", "", "--appendonly", "no"]
    line = ["redis-server", *options, *nothing_kept]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = monotonic() + patience.SECONDS
    while True:
        with suppress(RedisError):
            if connect(f"redis://:{PASSWORD}@127.0.0.1:{port}").ping():
                return process
        assert process.poll() is None, "it did not start"
        assert monotonic() < deadline, "it did not answer in time"
        sleep(0.02)
