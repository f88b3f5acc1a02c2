"""A line to a PostgreSQL server that a test cuts at a commit, as a network does at the worst moment."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Event, Lock, Thread

from sqlalchemy import URL, make_url

from tests import patience

PIECE = 65536


class Cut(Enum):
    """When the line breaks."""

    BEFORE = auto()
    """The server never hears of the commit."""
    AFTER = auto()
    """The server has committed, and no one hears its answer."""


@dataclass
class Line:
    """Passes everything on until it is told to break at the commit of a transaction that says certain words."""

    server: URL
    is_open: Event = field(default_factory=Event)
    """Whether new connections are let through."""
    was_cut: Event = field(default_factory=Event)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _planned: tuple[Cut, bytes, bool] | None = None
    _lock: Lock = field(default_factory=Lock)

    @property
    def url(self) -> str:
        """The server's database through this line."""
        port = self._listener.getsockname()[1]
        return self.server.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)

    def cut(self, when: Cut, words: bytes, *, stays: bool) -> None:
        """Break at the commit of the next transaction in which `words` are said; `stays`: no one gets through then."""
        self.was_cut.clear()
        with self._lock:
            self._planned = (when, words, stays)

    def serve(self) -> None:
        """Take connections until it is closed."""
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                if self.is_open.is_set():
                    Thread(target=self._pass_on, args=(client,), daemon=True).start()
                else:
                    client.close()

    def close(self) -> None:
        """Let no one in any more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _reach(self) -> socket.socket:
        folder = self.server.query.get("host")
        if folder is None:
            return socket.create_connection((self.server.host or "127.0.0.1", self.server.port or 5432))
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{folder}/.s.PGSQL.{self.server.port or 5432}")
        return made

    def _pass_on(self, client: socket.socket) -> None:
        with client, self._reach() as server:
            answers = Thread(target=_copy, args=(server, client), daemon=True)
            answers.start()
            said = b""
            with suppress(OSError):
                while piece := client.recv(PIECE):
                    said += piece
                    when = self._is_due(said) if b"COMMIT" in piece else None
                    if when is Cut.BEFORE:
                        break
                    if when is Cut.AFTER:
                        client.shutdown(socket.SHUT_WR)  # what the server answers reaches no one
                        server.sendall(piece)
                        server.shutdown(socket.SHUT_WR)
                        answers.join(patience.SECONDS)
                        break
                    server.sendall(piece)
                    if b"COMMIT" in piece or b"ROLLBACK" in piece:
                        said = b""
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _is_due(self, said: bytes) -> Cut | None:
        with self._lock:
            if self._planned is None or self._planned[1] not in said:
                return None
            when, _words, stays = self._planned
            self._planned = None
        if stays:
            self.is_open.clear()
        self.was_cut.set()
        return when


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on until either end closes; what the target does not take any more is read all the same."""
    with suppress(OSError):
        while piece := source.recv(PIECE):
            with suppress(OSError):
                target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """An open line to a database."""
    made = Line(make_url(url))
    made.is_open.set()
    taking = Thread(target=made.serve, daemon=True)
    taking.start()
    try:
        yield made
    finally:
        made.close()
        taking.join(patience.SECONDS)
