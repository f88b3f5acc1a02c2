"""The request context: the user, the reading session, and the writing transaction."""

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
"""Headers that a proxy adds to the requests it forwards."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def install(app: Flask, wiring: Wiring) -> None:
    """Give the app its wiring, and close the reading session at the end of each request."""
    app.extensions["rounds"] = wiring
    app.teardown_request(end_reading)


def wiring() -> Wiring:
    """Return the parts of this process."""
    return cast(Wiring, current_app.extensions["rounds"])


def formats() -> Formats:
    """Return the clinic's formats of dates and numbers in the current language."""
    return Formats(wiring().settings.clinic)


def browser() -> BrowserSession:
    """Return the visitor's cookie session."""
    return cast(BrowserSession, flask_session._get_current_object())  # type: ignore[attr-defined]


def address() -> str:
    """Return the client's network address, or an empty text if the trusted proxy didn't pass it on."""
    return origins.address(request, wiring().settings.server.trusted_proxy)


def method() -> str:
    """Return the request's method for logs and metrics, or `other` for an unknown one."""
    return request.method if request.method in METHODS else "other"


def is_at_this_computer() -> bool:
    """Return whether the request was made on the server's own computer, and not through an unknown proxy on it."""
    return is_loopback(request.remote_addr) and not any(name in request.headers for name in BY_PROXIES)


def actor() -> Actor:
    """Return the signed-in user of a page that requires one."""
    found = visitor()
    assert found is not None, "access.py lets no one else in"
    return found


def visitor() -> Actor | None:
    """Return the signed-in user, or None."""
    held = found()
    return None if held is None or held.locked else held.actor


def watcher() -> Actor | None:
    """Return the user of a wall display whose session is locked after idle time. None otherwise."""
    held = found()
    return held.actor if held is not None and held.locked else None


def found() -> Found | None:
    """Return the open session of the browser's cookie, whether locked or not."""
    if "found" not in g:
        g.found = _find()
    return cast("Found | None", g.found)


def is_found() -> bool:
    """Return whether this request has found a signed-in user so far, without a database query."""
    held: Found | None = g.get("found")
    return held is not None and not held.locked


def here() -> Found:
    """Return the open session of a page that requires one."""
    held = found()
    assert held is not None, "access.py lets no one else in"
    return held


def reading() -> Session:
    """Return this request's reading session: one consistent snapshot for the whole page."""
    if "reading" not in g:
        g.open = ExitStack()
        g.reading = g.open.enter_context(wiring().database.reading())
    return cast(Session, g.reading)


def writing() -> Session:
    """Return the writing session of the transaction around an API view."""
    return cast(Session, g.writing)


@contextmanager
def transaction_around() -> Iterator[Session]:
    """Run a whole view in a transaction(); the view gets its session from writing()."""
    with transaction() as session:
        g.writing = session
        try:
            yield session
        finally:
            del g.writing


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a writing session that commits at the end of the block. The reading session is closed first.

    Messages it queues are sent right after the commit rather than at the next tick, or after a pending restart.
    """
    with counting() as session:
        yield session
    g.has_committed = True
    g.messages_written = (*g.get("messages_written", ()), *outbox.written(session))
    if messages.was_posted(session) and not wiring().restart.is_asked:
        wiring().queue.posted()


@contextmanager
def counting() -> Iterator[Session]:
    """Open a transaction that only counts an attempt. A request that is retried later counts once more."""
    end_reading()
    with wiring().database.transaction() as session:
        yield session


@contextmanager
def transaction_if_possible(act: str) -> Iterator[Session]:
    """Open a transaction that fails fast and only logs it, for notes that must not delay their page."""
    end_reading()
    try:
        with wiring().database.transaction(wait=False) as session:
            yield session
    except DBAPIError:
        log.exception("not written", act=act)


def has_committed() -> bool:
    """Return whether this request has committed anything, so it must not be retried."""
    return "has_committed" in g


def is_poll() -> bool:
    """Return whether a page sent this request by itself, without a click."""
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
    """Close the request's reading session. The next one sees what was committed in between."""
    g.pop("reading", None)
    opened = g.pop("open", None)
    if opened is not None:
        opened.close()
