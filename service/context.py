"""What one request carries: its user, its reading session, its writing transaction."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import structlog
from flask import Flask, current_app, g, request
from flask import session as flask_session
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.cookies import BrowserSession
from service.domain import messages, sessions
from service.domain.actor import Actor
from service.wiring import Wiring

log = structlog.get_logger()


def install(app: Flask, wiring: Wiring) -> None:
    """Give the app its wiring, and close each request's reading session at its end."""
    app.extensions["rounds"] = wiring
    app.teardown_request(_close)


def wiring() -> Wiring:
    """The parts this process is made of."""
    return cast(Wiring, current_app.extensions["rounds"])


def browser() -> BrowserSession:
    """The visitor's cookie session."""
    return cast(BrowserSession, flask_session._get_current_object())  # type: ignore[attr-defined]


def address() -> str:
    """The network address the request came from."""
    return request.remote_addr or ""


def actor() -> Actor:
    """The signed-in user of a page that asks for one."""
    found = visitor()
    assert found is not None, "access.py lets nobody else in"
    return found


def visitor() -> Actor | None:
    """The signed-in user, or None."""
    if "visitor" not in g:
        g.visitor = _signed_in()
    return cast("Actor | None", g.visitor)


def reading() -> Session:
    """This request's reading session: one consistent state for the whole page."""
    if "reading" not in g:
        g.open = ExitStack()
        g.reading = g.open.enter_context(wiring().database.reading())
    return cast(Session, g.reading)


@contextmanager
def transaction() -> Iterator[Session]:
    """A writing session that commits at the end of the block; the reading one ends before it.

    What it has posted is sent soon after the commit, not at the next tick.
    """
    _close()
    with wiring().database.transaction() as session:
        yield session
    if messages.was_posted(session):
        wiring().queue.posted()


@contextmanager
def transaction_if_possible(act: str) -> Iterator[Session]:
    """A transaction whose failure is only logged, and soon: for notes that must not hold up the page they are about."""
    _close()
    try:
        with wiring().database.transaction(wait=False) as session:
            yield session
    except DBAPIError:
        log.exception("not written", act=act)


def _signed_in() -> Actor | None:
    if not browser().known:
        return None
    token, limits = browser().token, wiring().settings.security
    found, stale = sessions.find(reading(), token, limits.idle_minutes, address())
    if found is not None and stale and "HX-Request" not in request.headers:  # a page that polls is not a click
        with transaction_if_possible("session.touch") as session:
            sessions.touch(session, token)
    return found


def _close(_error: BaseException | None = None) -> None:
    g.pop("reading", None)
    opened = g.pop("open", None)
    if opened is not None:
        opened.close()
