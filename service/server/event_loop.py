"""The event loop: it serves requests, stops accepting connections before a restart, and finishes open downloads."""

from time import monotonic, time

from waitress import wasyncore

from service.process.restart import Restart
from service.server.channels import Channel
from service.server.http_server import HttpServer

ANSWERS_GET_SECONDS = 5.0
"""How long requests get to finish before a restart."""
NEWCOMERS_GET_SECONDS = 0.2
"""How long new connections get to send a request before a restart."""


def stop_accepting(server: HttpServer) -> None:
    """Wake the loop and wait until it accepts no connections. New ones queue at sockets that stay open."""
    for one in server.listeners:
        one.pull_trigger()
    server.closed.wait(ANSWERS_GET_SECONDS)


def run(server: HttpServer, restart: Restart) -> None:
    """Serve until a signal, or until a restart is requested and earlier requests have their answers."""
    try:
        while not restart.is_asked:
            _turn(server, 1)
        server.forget_listeners()
        for one in server.listening_sockets:
            one.close()  # so that the port is free once the original is closed too
        _hear_newcomers(server)
        _still_answering(server)
        server.closed.set()
        deadline = monotonic() + ANSWERS_GET_SECONDS
        while monotonic() < deadline and _still_answering(server):
            _turn(server, 0.1)
    finally:
        server.threads.shutdown()


def finish_downloads(server: HttpServer, seconds: float) -> None:
    """Keep sending open downloads: waitress's own loop would end right at the signal."""
    server.forget_listeners()
    deadline = monotonic() + seconds
    while monotonic() < deadline and any(one.total_outbufs_len for one in server.channels):
        _turn(server, 0.1)


def _turn(server: HttpServer, seconds: float) -> None:
    """Wait up to this many seconds for sockets that are ready, and handle them."""
    wasyncore.loop(timeout=seconds, use_poll=True, map=server.sockets, count=1)


def _hear_newcomers(server: HttpServer) -> None:
    """Read what is there and what new connections are about to send: if cut off, they would see an error."""
    deadline = monotonic() + NEWCOMERS_GET_SECONDS
    _turn(server, 0)
    while monotonic() < deadline and any(_is_about_to_ask(one) for one in server.channels):
        _turn(server, 0.02)


def _is_about_to_ask(one: Channel) -> bool:
    """Return whether a request is arriving, or a connection of the last second hasn't sent one yet."""
    silent = one.last_activity == one.creation_time
    return one.request is not None or (silent and time() - one.creation_time < 1)


def _still_answering(server: HttpServer) -> bool:
    """Return whether any client waits for an answer. Stops reading, and closes the connections that have theirs."""
    answering = False
    for one in server.channels:
        one.hears = False
        if one.requests or one.total_outbufs_len:
            answering = True
        else:
            one.handle_close()
    return answering
