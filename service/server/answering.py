"""The server's loop: it answers, closes to newcomers before a restart, and finishes what is on its way out."""

from collections.abc import Sequence
from threading import Event
from time import monotonic, time
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel

from service.process.restart import Restart

ANSWERS_GET_SECONDS = 5.0
"""Before a restart."""
NEWCOMERS_GET_SECONDS = 0.2
"""Before a restart, who was let in just now, to say what they want."""


def let_nobody_in(listeners: Sequence[Any], closed: Event) -> None:
    """Wake the server's loop up and wait until it is closed to newcomers: they knock at sockets that stay open."""
    for one in listeners:
        one.pull_trigger()
    closed.wait(ANSWERS_GET_SECONDS)


def forget(sockets: dict[int, Any], listeners: Sequence[Any]) -> None:
    """Take the listeners out of the server's loop."""
    for number in [number for number, one in sockets.items() if one in listeners]:
        del sockets[number]


def answer(server: Any, sockets: dict[int, Any], listeners: Sequence[Any], restart: Restart, closed: Event) -> None:
    """Answer until the signal, or until a restart is asked for and what came before it has its answers."""
    try:
        while not restart.is_asked:
            wasyncore.loop(timeout=1, use_poll=True, map=sockets, count=1)
        forget(sockets, listeners)
        for one in listeners:
            one.socket.close()  # the server's copy: somebody else may want the port once the other is closed too
        _hear_newcomers(sockets)
        _still_answering(sockets)
        closed.set()
        deadline = monotonic() + ANSWERS_GET_SECONDS
        while monotonic() < deadline and _still_answering(sockets):
            wasyncore.loop(timeout=0.1, use_poll=True, map=sockets, count=1)
    finally:
        server.task_dispatcher.shutdown()


def _hear_newcomers(sockets: dict[int, Any]) -> None:
    """Read what is there, and what newcomers are about to say: cut off, they would see an error."""
    deadline = monotonic() + NEWCOMERS_GET_SECONDS
    wasyncore.loop(timeout=0, use_poll=True, map=sockets, count=1)
    while monotonic() < deadline and any(_is_about_to_ask(one) for one in sockets.values()):
        wasyncore.loop(timeout=0.02, use_poll=True, map=sockets, count=1)


def _is_about_to_ask(one: Any) -> bool:
    """Whether half a request is here, or nothing yet of somebody who came within the last second."""
    if not isinstance(one, HTTPChannel):
        return False
    silent = one.last_activity == one.creation_time
    return one.request is not None or (silent and time() - one.creation_time < 1)


def _still_answering(sockets: dict[int, Any]) -> bool:
    """Whether anybody waits for an answer; nothing new is read, and who has theirs comes back by another connection."""
    answering = False
    for one in [one for one in sockets.values() if isinstance(one, HTTPChannel)]:
        setattr(one, "readable", _not_any_more)  # noqa: B010 - mypy would have no method replaced
        if one.requests or one.total_outbufs_len:
            answering = True
        else:
            one.handle_close()
    return answering


def _not_any_more() -> bool:
    return False


def finish_downloads(sockets: dict[int, Any], seconds: float) -> None:
    """Go on sending what is already on its way: waitress's own loop ends at once with the signal."""
    deadline = monotonic() + seconds
    while monotonic() < deadline and any(getattr(one, "total_outbufs_len", 0) for one in sockets.values()):
        wasyncore.loop(timeout=0.1, use_poll=True, map=sockets, count=1)
