"""Forms that are sent after their session has ended: kept for the user, and let go when they are sent again."""

from urllib.parse import urlencode

from flask import Flask, Response, request

from service.domain.accounts import sessions, unsent_forms
from service.http import context

SECRETS = frozenset({"password", "current_password", "code"})
"""A form with one of these fields is not kept."""


def install(app: Flask) -> None:
    """Let a kept form go once it was sent again and answered."""
    app.after_request(_let_go)


def keep() -> None:
    """Keep the form of this request, whose form token is the session's own; nothing of files and secrets."""
    fields = {name: values for name, values in request.form.lists() if name != "csrf_token"}
    typed = any(value for values in fields.values() for value in values)
    if not typed or request.files or SECRETS & fields.keys():
        return
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "unsent"]
    path = request.path + (f"?{urlencode(others)}" if others else "")
    with context.transaction_if_possible("unsent_form.keep") as session:
        unsent_forms.keep(session, sessions.digest(context.browser().token), path, fields)


def _let_go(response: Response) -> Response:
    number = request.args.get("unsent", "") if request.method == "POST" else ""
    visitor = context.visitor() if number.isdecimal() and len(number) < 19 and response.status_code < 500 else None
    if visitor is not None:
        with context.transaction_if_possible("unsent_form.forget") as session:
            unsent_forms.forget(session, visitor, int(number))
    return response
