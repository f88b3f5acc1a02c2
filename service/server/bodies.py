"""How large a body may be: asked of the application once the header is here, before more than that is read."""

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
"""More than any file may have: up to here our own page says that it is too much."""
UPLOADS = frozenset({"imports.upload"})
QUESTION = "rounds.body_limit"
"""In the environment of a request that only asks; a client's headers cannot set it."""


class Question:
    """Asks the application that, by a thread when it is its turn, because the database may be needed."""

    def __init__(
        self, turn: Turn, environ: WSGIEnvironment, application: WSGIApplication, answered: Callable[[int], object]
    ) -> None:
        self.turn = turn
        self._environ, self._application, self._answered = environ, application, answered

    def service(self) -> None:
        """Ask, and hand on the answer: as for a stranger where the application fails."""
        most = LARGEST_BODY
        try:
            most = ask(self._environ, self._application)
        except Exception:
            log.exception("a request cannot be looked at before it is read")
        self._answered(most)

    def cancel(self) -> None:
        """The service ends: nothing is answered."""


def ask(environ: WSGIEnvironment, application: WSGIApplication) -> int:
    """Ask an application, by whatever stands around it, how many bytes this request's body may have."""
    answers: list[int] = []
    for _nothing in application({**environ, QUESTION: answers, "wsgi.input": BytesIO()}, _no_response):
        pass
    return answers[0] if answers else LARGEST_BODY


def wrap(app: Flask) -> WSGIApplication:
    """The application, which also answers that question."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answers = environ.get(QUESTION)
        if answers is None:
            return app(environ, start_response)
        with app.request_context(environ):
            answers.append(_limit())
        return []

    return application


def _limit() -> int:
    """In bytes: little for strangers, a long form for whoever is signed in, a file for those who may import one."""
    visitor = context.visitor()
    if visitor is None:
        return LARGEST_BODY
    if request.endpoint in UPLOADS and visitor.role in ACCESS[request.endpoint]:
        return LARGEST_UPLOAD
    return unsent_forms.LARGEST


def _no_response(_status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
    return lambda _data: None
