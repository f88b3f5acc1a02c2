"""What one request carries: its user, its reading session, its writing transaction."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import structlog
from flask import Flask, current_app, g, request
from flask import session as flask_session
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.domain.accounts import sessions
from service.domain.accounts.sessions import Found
from service.domain.foundation.actor import Actor
from service.domain.messages import messages
from service.domain.outbox import outbox
from service.http import origins
from service.http.cookies import BrowserSession
from service.language.formats import Formats
from service.process.listening import is_loopback
from service.wiring import Wiring

log = structlog.get_logger()
BY_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""Headers that a proxy adds to what it passes on."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: Flask, wiring: Wiring) -> None:
    """Give the app its wiring, and close each request's reading session at its end."""
    app.extensions["rounds"] = wiring
    app.teardown_request(end_reading)


def wiring() -> Wiring:
    """The parts this process is made of."""
    return cast(Wiring, current_app.extensions["rounds"])


def formats() -> Formats:
    """How the clinic's dates and numbers are written in the language of the moment."""
    return Formats(wiring().settings.clinic)


def browser() -> BrowserSession:
    """The visitor's cookie session."""
    return cast(BrowserSession, flask_session._get_current_object())  # type: ignore[attr-defined]


def address() -> str:
    """The network address the request came from; empty where only the proxy knows, which then did not tell."""
    return origins.address(request, wiring().settings.server.trusted_proxy)


def method() -> str:
    """The request's method for logs and figures; `other` for one that somebody made up."""
    return request.method if request.method in METHODS else "other"


def is_at_this_computer() -> bool:
    """Whether the request was made at the computer that serves, and not at a proxy on it that nobody told us of."""
    return is_loopback(request.remote_addr) and not any(name in request.headers for name in BY_PROXIES)


def actor() -> Actor:
    """The signed-in user of a page that asks for one."""
    found = visitor()
    assert found is not None, "access.py lets nobody else in"
    return found


def visitor() -> Actor | None:
    """The signed-in user, or None."""
    held = found()
    return None if held is None or held.locked else held.actor


def watcher() -> Actor | None:
    """Who left a board on the wall: idle for too long, so that it only refreshes, with less on it. None otherwise."""
    held = found()
    return held.actor if held is not None and held.locked else None


def found() -> Found | None:
    """The open session behind the browser's cookie, locked or not."""
    if "found" not in g:
        g.found = _find()
    return cast("Found | None", g.found)


def is_found() -> bool:
    """Whether this request has met a signed-in user so far; the database is not asked."""
    held: Found | None = g.get("found")
    return held is not None and not held.locked


def here() -> Found:
    """The open session of a page that asks for one."""
    held = found()
    assert held is not None, "access.py lets nobody else in"
    return held


def reading() -> Session:
    """This request's reading session: one consistent state for the whole page."""
    if "reading" not in g:
        g.open = ExitStack()
        g.reading = g.open.enter_context(wiring().database.reading())
    return cast(Session, g.reading)


def writing() -> Session:
    """The writing session of the transaction around a view of the API."""
    return cast(Session, g.writing)


@contextmanager
def transaction_around() -> Iterator[Session]:
    """transaction() for a whole view, which finds its session in writing()."""
    with transaction() as session:
        g.writing = session
        try:
            yield session
        finally:
            del g.writing


@contextmanager
def transaction() -> Iterator[Session]:
    """A writing session that commits at the end of the block; the reading one ends before it.

    What it has posted is sent soon after the commit, not at the next tick; while a restart is on its way, after that.
    """
    with counting() as session:
        yield session
    g.has_committed = True
    g.messages_written = (*g.get("messages_written", ()), *outbox.written(session))
    if messages.was_posted(session) and not wiring().restart.is_asked:
        wiring().queue.posted()


@contextmanager
def counting() -> Iterator[Session]:
    """A transaction that only counts an attempt. A request that is retried after it counts once more."""
    end_reading()
    with wiring().database.transaction() as session:
        yield session


@contextmanager
def transaction_if_possible(act: str) -> Iterator[Session]:
    """A transaction whose failure is only logged, and soon: for notes that must not hold up the page they are about."""
    end_reading()
    try:
        with wiring().database.transaction(wait=False) as session:
            yield session
    except DBAPIError:
        log.exception("not written", act=act)


def has_committed() -> bool:
    """Whether this request has saved anything yet, so that it must not be retried."""
    return "has_committed" in g


def is_poll() -> bool:
    """Whether a page asks by itself, without anybody's click."""
    return request.method == "GET" and "HX-Request" in request.headers


def _find() -> Found | None:
    if not browser().known:
        return None
    token = browser().token
    held = sessions.find(reading(), token, wiring().settings.security, address())
    if held is not None and held.stale and not held.locked and not is_poll():
        with transaction_if_possible("session.touch") as session:
            sessions.touch(session, token)
    return held


def end_reading(_error: BaseException | None = None) -> None:
    """Close the request's reading session; the next one sees what was committed meanwhile."""
    g.pop("reading", None)
    opened = g.pop("open", None)
    if opened is not None:
        opened.close()
