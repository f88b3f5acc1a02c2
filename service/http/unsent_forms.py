"""Forms that were refused or submitted after sign-out: what was typed is shown again and kept."""

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
"""Fields that are never shown again or kept; they are emptied."""
UNSEEN = frozenset(
    {"act", "also", "any", "any_doctor", "asked", "back", "confirm", "kind", "next", "seen", "starts_at", "version"}
)
"""Fields that no one types, as are those that end with `_id`."""
LARGEST = 4 * 1024 * 1024
"""Bytes of an oversized form that is still returned to a signed-in user."""
COOKIE = "rounds_unsent"
"""Cookie that tells pages of an unsent form, which saves each of them a query."""


class SignedOut(Forbidden):
    """The session is over and what was typed couldn't be kept, so only the error page still shows it."""


def install(app: Flask) -> None:
    """Delete a kept form once it was sent again, and tell the pages until then that there is one."""
    app.after_request(_let_go)


def is_unseen(name: str) -> bool:
    """Return whether a field is sent along without being shown."""
    return name in UNSEEN or name.endswith("_id")


def typed() -> Fields:
    """Return the fields of this request's form with secrets emptied; none for another site's form."""
    if request.method != "POST" or request.headers.get("Origin", _own_origin()) != _own_origin():
        return {}
    fields = [(name, values) for name, values in _form().lists() if name not in (None, "csrf_token")]
    return {name: [""] if name in SECRETS else values for name, values in fields}


def has_text(fields: Fields) -> bool:
    """Return whether a person typed anything."""
    return any(value.strip() for name, values in fields.items() if not is_unseen(name) for value in values)


def is_own() -> bool:
    """Return whether the form came from one of our pages: by its token, or by Origin if the token is old."""
    try:
        validate_csrf(_form().get("csrf_token"))
    except ValidationError:
        return request.headers.get("Origin") == _own_origin()
    return True


def keep() -> int | None:
    """Keep what was typed for the user of this browser's current or past session; return its id, or None if not kept.

    The caller has checked that the form is ours. Files aren't kept.
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
    """Return the URL this form was sent to, without the id of a kept form."""
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "unsent"]
    return request.path + (f"?{urlencode(others)}" if others else "")


def waits() -> bool:
    """Return whether the visitor has an unsent form, according to the browser's cookie."""
    return COOKIE in request.cookies and context.visitor() is not None


def none_waits() -> None:
    """Delete the cookie that tells of an unsent form."""
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
