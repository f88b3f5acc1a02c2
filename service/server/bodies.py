"""Limits of request bodies: the application decides once the header is here, before the body is read."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from flask import Flask, request

from service.app import LARGEST_BODY
from service.http import context, unsent_forms
from service.server.turns import Turn
from service.web.pages import ACCESS

log = structlog.get_logger()
LARGEST_UPLOAD = 16 * LARGEST_BODY
"""More than any file may have. Up to this size, our own page says that the file is too large."""
UPLOADS = frozenset({"imports.upload"})
QUESTION = "rounds.body_limit"
"""Marks a WSGI environment that only asks for the limit. A client's headers can't set it."""


class Question:
    """A task that asks the application for the limit. It runs in a worker thread because it may query the database."""

    def __init__(
        self, turn: Turn, environ: WSGIEnvironment, application: WSGIApplication, answered: Callable[[int], object]
    ) -> None:
        self.turn = turn
        self._environ, self._application, self._answered = environ, application, answered

    def service(self) -> None:
        """Ask for the limit and pass it on; if the application fails, the limit of a visitor."""
        most = LARGEST_BODY
        try:
            most = ask(self._environ, self._application)
        except Exception:
            log.exception("a request cannot be looked at before it is read")
        self._answered(most)

    def cancel(self) -> None:
        """Do nothing, because the service is stopping."""


def ask(environ: WSGIEnvironment, application: WSGIApplication) -> int:
    """Ask a wrapped application how many bytes this request's body may have."""
    answers: list[int] = []
    for _nothing in application({**environ, QUESTION: answers, "wsgi.input": BytesIO()}, _no_response):
        pass
    return answers[0] if answers else LARGEST_BODY


def wrap(app: Flask) -> WSGIApplication:
    """Return the application with support for ask()."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answers = environ.get(QUESTION)
        if answers is None:
            return app(environ, start_response)
        with app.request_context(environ):
            answers.append(_limit())
        return []

    return application


def _limit() -> int:
    """Return the limit in bytes: small for visitors, a long form for users, a file for users who can import."""
    visitor = context.visitor()
    if visitor is None:
        return LARGEST_BODY
    if request.endpoint in UPLOADS and visitor.role in ACCESS[request.endpoint]:
        return LARGEST_UPLOAD
    return unsent_forms.LARGEST


def _no_response(_status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
    return lambda _data: None
