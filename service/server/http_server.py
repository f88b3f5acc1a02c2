"""The HTTP server between two restarts: listeners on sockets that outlive it, worker threads, and connections."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from socket import socket
from threading import Event
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments

from service.app import create_app
from service.process.listening import Listening
from service.server import bodies
from service.server.channels import Channel
from service.server.connections import Connections
from service.server.listener import Listener
from service.server.turns import Dispatcher
from service.wiring import Wiring

LARGEST_HEADER = 32 * 1024
IN_MEMORY = 64 * 1024
"""Bytes of a body kept in memory; longer ones go to a temporary file."""


@dataclass(frozen=True)
class HttpServer:
    """The listeners, worker threads, and open connections."""

    sockets: dict[int, Any]
    """Everything the event loop watches, by file descriptor."""
    listeners: Sequence[Listener]
    threads: Dispatcher
    closed: Event = field(default_factory=Event)
    """Set once no connections are accepted."""

    @property
    def listening_sockets(self) -> list[socket]:
        """The sockets of the listeners: copies of those that outlive this server."""
        return [one.socket for one in self.listeners if one.socket is not None]

    @property
    def channels(self) -> list[Channel]:
        """The open connections."""
        return [one for one in self.sockets.values() if isinstance(one, Channel)]

    def forget_listeners(self) -> None:
        """Remove the listeners from the event loop."""
        for number in [number for number, one in self.sockets.items() if one in self.listeners]:
            del self.sockets[number]

    def close(self) -> None:
        """Close everything, including what a signal has already closed."""
        self.forget_listeners()
        for one in self.listeners:
            with suppress(OSError):
                one.close()
        wasyncore.close_all(self.sockets, ignore_all=True)


def create(wiring: Wiring, listening: Listening) -> HttpServer:
    """Create a server for our pages. It serves once its event loop runs."""
    server = wiring.settings.server
    settings = Adjustments(
        sockets=listening.copies(),
        threads=server.threads,
        max_request_header_size=LARGEST_HEADER,
        max_request_body_size=bodies.LARGEST_UPLOAD,
        inbuf_overflow=IN_MEMORY,
        outbuf_overflow=4 * IN_MEMORY,
        asyncore_use_poll=True,
        ident=None,
        clear_untrusted_proxy_headers=False,  # we don't trust them, but their presence reveals a proxy
        **_proxy(server.trusted_proxy),
    )
    sockets: dict[int, Any] = {}
    threads, connections = Dispatcher(server.threads), Connections(wiring.known_clients, server.trusted_proxy)
    application = bodies.wrap(create_app(wiring))
    listeners = [
        Listener(
            application,
            sockets,
            _sock=one,
            connections=connections,
            dispatcher=threads,
            adj=settings,
            sockinfo=(one.family, one.type, one.proto, one.getsockname()),
            bind_socket=False,
        )
        for one in settings.sockets
    ]
    return HttpServer(sockets, listeners, threads)


def _proxy(trusted: str) -> dict[str, Any]:
    """Return which headers waitress trusts from the proxy. http/origins.py reads the client's address itself."""
    if not trusted:
        return {}
    return {
        "trusted_proxy": trusted,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-proto", "x-forwarded-host"},
    }
