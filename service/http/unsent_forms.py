"""What a person typed into a form that was refused, or sent after the session had ended: shown again, and kept."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from flask import Flask, Response, g, request
from flask_wtf.csrf import validate_csrf
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms.validators import ValidationError

from service.domain.accounts import unsent_forms
from service.domain.foundation import tokens
from service.domain.foundation.errors import Forbidden
from service.http import context

Fields = Mapping[str, Sequence[str]]
SECRETS = frozenset({"password", "current_password", "code", "setup_code"})
"""Fields that are neither shown again nor kept: they go along empty."""
UNSEEN = frozenset(
    {"act", "also", "any", "any_doctor", "asked", "back", "confirm", "kind", "next", "seen", "starts_at", "version"}
)
"""Fields that no person typed; so are those that end with `_id`."""
LARGEST = 4 * 1024 * 1024
"""Bytes of a form that was too large and still comes back to somebody who is signed in."""
COOKIE = "rounds_unsent"
"""Tells pages that something waits to be sent, which spares each of them a look into the database."""


class SignedOut(Forbidden):
    """The session is over and what was typed could not be kept: it only stands on the page that says so."""


def install(app: Flask) -> None:
    """Let a kept form go once it was sent again and answered, and tell the pages in between that it waits."""
    app.after_request(_let_go)


def is_unseen(name: str) -> bool:
    """Whether a field goes along without being shown."""
    return name in UNSEEN or name.endswith("_id")


def typed() -> Fields:
    """The fields of this request's form, its secrets emptied; nothing of another site's form."""
    if request.method != "POST" or request.headers.get("Origin", _own_origin()) != _own_origin():
        return {}
    fields = [(name, values) for name, values in _form().lists() if name not in (None, "csrf_token")]
    return {name: [""] if name in SECRETS else values for name, values in fields}


def has_text(fields: Fields) -> bool:
    """Whether there is anything a person would miss."""
    return any(value.strip() for name, values in fields.items() if not is_unseen(name) for value in values)


def is_own() -> bool:
    """Whether the form came from a page of ours: by its token, or by what the browser says where the token is old."""
    try:
        validate_csrf(_form().get("csrf_token"))
    except ValidationError:
        return request.headers.get("Origin") == _own_origin()
    return True


def keep() -> int | None:
    """Keep what was typed for whoever holds, or held, this browser's session; returns its number, None if it cannot be.

    The caller has made sure that the form is ours. Files are not kept.
    """
    fields, kept = typed(), None
    if not any(value for values in fields.values() for value in values):
        return None
    values = {name: list(given) for name, given in fields.items()}
    with context.transaction_if_possible("unsent_form.keep") as session:
        kept = unsent_forms.keep(session, tokens.digest(context.browser().token), address(), values)
    g.unsent = kept is not None
    return kept


def address() -> str:
    """Where this request's form was sent, without the number of a kept one."""
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "unsent"]
    return request.path + (f"?{urlencode(others)}" if others else "")


def waits() -> bool:
    """Whether something of this visitor's waits to be sent, as far as their browser knows."""
    return COOKIE in request.cookies and context.visitor() is not None


def none_waits() -> None:
    """Have the browser forget that something waits."""
    g.unsent = False


def _form() -> MultiDict[str, str]:
    try:
        return request.form
    except RequestEntityTooLarge:
        if context.visitor() is None:
            return MultiDict()
    request.max_content_length = request.max_form_memory_size = LARGEST
    try:
        return request.form
    except RequestEntityTooLarge:
        return MultiDict()


def _own_origin() -> str:
    return request.host_url.rstrip("/")


def _let_go(response: Response) -> Response:
    number = request.args.get("unsent", "") if request.method == "POST" else ""
    visitor = context.visitor() if number.isdecimal() and len(number) < 19 and response.status_code < 500 else None
    if visitor is not None:
        with context.transaction_if_possible("unsent_form.forget") as session:
            unsent_forms.forget(session, visitor, int(number))
            g.setdefault("unsent", bool(unsent_forms.of_user(session, visitor)))
    if g.get("unsent"):
        lasts = int(unsent_forms.KEPT_FOR.total_seconds())
        response.set_cookie(COOKIE, "1", max_age=lasts, httponly=True, samesite="Lax", secure=request.is_secure)
    elif "unsent" in g and COOKIE in request.cookies:
        response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=request.is_secure)
    return response
