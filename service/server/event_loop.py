"""The server's loop: it answers, closes to newcomers before a restart, and finishes what is on its way out."""

from time import monotonic, time

from waitress import wasyncore

from service.process.restart import Restart
from service.server.channels import Channel
from service.server.http_server import HttpServer

ANSWERS_GET_SECONDS = 5.0
"""Before a restart."""
NEWCOMERS_GET_SECONDS = 0.2
"""Before a restart, who was let in just now, to say what they want."""


def stop_accepting(server: HttpServer) -> None:
    """Wake the server's loop up and wait until it is closed to newcomers: they knock at sockets that stay open."""
    for one in server.listeners:
        one.pull_trigger()
    server.closed.wait(ANSWERS_GET_SECONDS)


def run(server: HttpServer, restart: Restart) -> None:
    """Answer until the signal, or until a restart is asked for and what came before it has its answers."""
    try:
        while not restart.is_asked:
            _turn(server, 1)
        server.forget_listeners()
        for one in server.listening_sockets:
            one.close()  # somebody else may want the port once the other is closed too
        _hear_newcomers(server)
        _still_answering(server)
        server.closed.set()
        deadline = monotonic() + ANSWERS_GET_SECONDS
        while monotonic() < deadline and _still_answering(server):
            _turn(server, 0.1)
    finally:
        server.threads.shutdown()


def finish_downloads(server: HttpServer, seconds: float) -> None:
    """Go on sending what is already on its way: waitress's own loop ends at once with the signal."""
    server.forget_listeners()
    deadline = monotonic() + seconds
    while monotonic() < deadline and any(one.total_outbufs_len for one in server.channels):
        _turn(server, 0.1)


def _turn(server: HttpServer, seconds: float) -> None:
    """Wait for so long until something is to be read or written, and do that."""
    wasyncore.loop(timeout=seconds, use_poll=True, map=server.sockets, count=1)


def _hear_newcomers(server: HttpServer) -> None:
    """Read what is there, and what newcomers are about to say: cut off, they would see an error."""
    deadline = monotonic() + NEWCOMERS_GET_SECONDS
    _turn(server, 0)
    while monotonic() < deadline and any(_is_about_to_ask(one) for one in server.channels):
        _turn(server, 0.02)


def _is_about_to_ask(one: Channel) -> bool:
    """Whether half a request is here, or nothing yet of somebody who came within the last second."""
    silent = one.last_activity == one.creation_time
    return one.request is not None or (silent and time() - one.creation_time < 1)


def _still_answering(server: HttpServer) -> bool:
    """Whether anybody waits for an answer; nothing new is read, and who has theirs comes back by another connection."""
    answering = False
    for one in server.channels:
        one.hears = False
        if one.requests or one.total_outbufs_len:
            answering = True
        else:
            one.handle_close()
    return answering
