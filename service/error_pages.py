"""Error responses: one clear sentence, what to do next, and a reference to the log. JSON problems under /api."""

from typing import Any

import structlog
from flask import Flask, Response, current_app, g, redirect, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, generate_csrf
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from service.api import problems
from service.domain.foundation import errors
from service.http import assets, context, lost_answers
from service.http.bearers import Unauthorized
from service.http.cookies import API
from service.http.form_origin import NotOurForm
from service.http.headers import Misdirected
from service.http.unsent_forms import SignedOut
from service.language.translation import gettext as _
from service.storage import database
from service.storage.database import DatabaseLost
from service.web import refused_forms

log = structlog.get_logger()
RETRY_AFTER = 5

STATUS: dict[type[errors.DomainError], int] = {
    Unauthorized: 401,
    errors.NotFound: 404,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.Invalid: 422,
    errors.Throttled: 429,
}


def install(app: Flask) -> None:
    """Respond to every error with the error page."""
    app.register_error_handler(errors.DomainError, _domain)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(DatabaseLost, _lost)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(Exception, _unexpected)


def _domain(error: errors.DomainError) -> ResponseReturnValue:
    headers: dict[str, str] = {}
    more: dict[str, Any] = {}
    if isinstance(error, problems.Refused):
        return _page(error.status, str(error), {}, errors=error.errors)
    if isinstance(error, errors.Throttled):
        headers = {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        headers = {"WWW-Authenticate": "Bearer"}
    if isinstance(error, errors.Invalid) and error.field:
        more = {"errors": [problems.of_field(error.field, str(error))]}
    if isinstance(error, SignedOut):
        return _page(403, str(error), {}, words=_signed_out())
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return _page(status, str(error), headers, **more)


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is not None and error.code < 400:
        return error
    sentence = ""
    if isinstance(error, CSRFError):
        sentence = _("This form was open too long, or you signed in or out in the meantime. Open the page again.")
    if isinstance(error, (Misdirected, NotOurForm)):
        sentence = str(error.description)
    headers = {key: value for key, value in error.get_headers() if key in ("Allow", "Retry-After")}
    return _page(error.code or 500, sentence, headers)


def _database(error: DBAPIError) -> ResponseReturnValue:
    try:
        context.wiring().database.require_present()
    except DatabaseLost as lost:
        return _lost(lost)
    transaction = database.unanswered(error)
    if transaction is not None:
        return _unanswered(transaction)
    if database.is_busy(error):
        log.error("database busy", request=g.get("request_id"), error=database.explain(error))
        return _page(503, "", {"Retry-After": str(RETRY_AFTER)})
    return _unexpected(error)


def _unanswered(transaction: int) -> ResponseReturnValue:
    """The outcome of a commit is unknown: the page says so, and looks it up when it's reloaded."""
    log.error("commit not answered", request=g.get("request_id"), transaction=transaction)
    if request.path.startswith(API):
        return _page(503, _("We can't tell whether this was saved. Check before you send it again."), {})
    return redirect(lost_answers.address(transaction), 303)


def _lost(_error: DatabaseLost) -> ResponseReturnValue:
    return _page(503, "", {"Retry-After": str(RETRY_AFTER)})


def _stale(_error: StaleDataError) -> ResponseReturnValue:
    return _page(409, _("Someone else changed this at the same time."), {})


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.exception("unexpected error", request=g.get("request_id"), error=type(error).__name__)
    return _page(500, "", {})


Words = tuple[str, str, str]


def _page(
    status: int, sentence: str, headers: dict[str, str], *, words: Words | None = None, **more: Any
) -> ResponseReturnValue:
    title, message, what_next = words or _words(status)
    if request.path.startswith(API):
        return problems.answer(status, sentence if sentence and status != 404 else message, headers, **more)
    if request_ctx.url_adapter is None:  # the Host header is invalid, so the page can't have links
        return Response(f"{sentence or message}\n", status, headers, mimetype="text/plain")
    # A missing row and someone else's must get identical responses, so a 404 names the visitor, not the request.
    reference = context.browser().reference if status == 404 else g.get("request_id", "")
    # Rendered without data from the database, which may be what failed.
    page = current_app.jinja_env.get_template("error.html").render(
        status=status,
        title=title,
        message=sentence or message,
        what_next=what_next,
        reference=reference,
        home_url="/",
        demo=False,
        clinic=context.wiring().settings.clinic,
        static=assets.static_url,
        icon=assets.icon,
        again=refused_forms.again(status),
        csrf_token=generate_csrf,
    )
    return page, status, headers


def _signed_out() -> Words:
    return (
        _("You're signed out"),
        _("Sign in, then send this again."),
        _("Sign in on another tab, keep this one open, then send it again from here."),
    )


def _words(status: int) -> Words:
    """Return the title, sentence, and next step for a status."""
    back = _("Go back, or start again from the home page.")
    again = _("Go back, reload the page, and try again.")
    known = {
        400: (_("We couldn't read this request"), _("Part of it was missing or malformed."), again),
        401: (_("Token required"), _("Send a valid token."), again),
        403: (
            _("Your account doesn't have access"),
            _("Your account isn't allowed to do this."),
            _("Ask an administrator of the clinic if you need access."),
        ),
        404: (_("Page not found"), _("This page doesn't exist, or you don't have access to it."), back),
        405: (_("That doesn't work here"), _("This page can't be used that way."), back),
        409: (_("That's out of date"), _("Something has changed in the meantime."), again),
        410: (_("No longer available"), _("This has expired."), back),
        413: (_("That's too much at once"), _("What you sent is too large."), _("Send less, or shorten your text.")),
        415: (_("Wrong format"), _("Send JSON."), again),
        422: (_("Check what you sent"), _("Something in it isn't right."), again),
        429: (_("Too many attempts"), _("Wait a few minutes."), _("Wait a few minutes, then try again.")),
        500: (
            _("Something went wrong on our side"),
            _("Nothing was changed."),
            _("Try again. If it keeps happening, give the clinic the reference below."),
        ),
        503: (
            _("Busy right now"),
            _("We couldn't reach the data. Nothing was changed."),
            _("Wait a few seconds, then try again."),
        ),
    }
    return known.get(status, known[400] if status < 500 else known[500])
