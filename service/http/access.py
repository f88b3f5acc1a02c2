"""Who may enter which route, and with which token. Default deny: the app does not start while a route is missing."""

from collections.abc import Mapping

from flask import Flask, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import BadRequest

from service.domain.accounts.api_tokens import Scope
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Forbidden
from service.http import bearers, context, form_origin, unsent_forms
from service.http.unsent_forms import SignedOut
from service.language.translation import gettext as _

ANYONE: frozenset[Role] = frozenset()
SIGNED_IN = frozenset({Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT})
STAFF = frozenset({Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR})
DESK = frozenset({Role.ADMIN, Role.RECEPTIONIST})


def only(*roles: Role) -> frozenset[Role]:
    """Nobody but people of these roles."""
    return frozenset(roles)


WATCHED = frozenset({"today.board"})
"""What goes on refreshing when its session is locked."""
SETTING_UP = frozenset(
    {
        "second_factors.show",
        "second_factors.begin",
        "second_factors.confirm",
        "own_account.prove",
        "sessions.sign_out",
    }
)
"""All that is open to somebody who still has to set up a second factor."""
TOKEN_IN_ADDRESS = frozenset({"contact_links.unsubscribe"})
"""Forms that mail programs send, which know no form token: a secret in the address stands in for it."""

csrf = CSRFProtect()


def install(app: Flask, pages: Mapping[str, frozenset[Role]], api: Mapping[str, tuple[frozenset[Role], Scope]]) -> None:
    """Put the guard before every view; RuntimeError names routes that do not say who may enter.

    `pages`: endpoint -> roles that may enter. `api`: endpoint -> roles whose tokens may enter, and the scope they need.
    """
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)
    csrf.init_app(app)
    said = pages.keys() | api.keys()
    silent = {rule.endpoint for rule in app.url_map.iter_rules()} - said
    unused = said - {rule.endpoint for rule in app.url_map.iter_rules()}
    if silent or unused:
        raise RuntimeError(f"access: no entry for {sorted(silent)}, no route for {sorted(unused)}")

    @app.before_request
    def guard() -> ResponseReturnValue | None:
        endpoint = request.endpoint
        if endpoint is None or endpoint == "static":
            return None
        if endpoint in api:
            _guard_api(*api[endpoint])
            return None
        return _guard_page(endpoint, pages[endpoint])


def _guard_page(endpoint: str, roles: frozenset[Role]) -> ResponseReturnValue | None:
    """Signed out -> sign in first; wrong role -> 403; a change without its form token -> 400."""
    if roles:
        visitor = context.visitor()
        if visitor is None:
            return None if _watches(roles) else _to_sign_in()
        if visitor.role not in roles:
            raise Forbidden(_("Your account doesn't have access to this page."))
        if _needs_second_factor() and endpoint not in SETTING_UP:
            if request.method == "POST" and _has_token():
                unsent_forms.keep()
            return redirect(url_for("second_factors.show"), 303)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        if None in request.form:  # a part of a multipart body without a name, which Flask-WTF stumbles over
            abort(400)
        if endpoint not in TOKEN_IN_ADDRESS:
            form_origin.check(context.browser(), context.wiring().settings.clinic.public_url)
            csrf.protect()
    return None


def _guard_api(roles: frozenset[Role], scope: Scope) -> None:
    """No token -> 401; a role or a scope that does not reach -> 403. No cookie counts, so no form token is needed."""
    caller = bearers.identify()
    if caller.actor.role not in roles:
        raise Forbidden(_("This token's user isn't allowed to do this."))
    if scope not in caller.scopes:
        raise Forbidden(_("This token doesn't have the scope %(scope)s.") % {"scope": scope})


def _watches(roles: frozenset[Role]) -> bool:
    """Whether this is a board on the wall that refreshes itself: it goes on, with less on it."""
    watcher = context.watcher()
    if watcher is None or _needs_second_factor():
        return False
    return watcher.role in roles and request.endpoint in WATCHED and context.is_poll()


def _to_sign_in() -> ResponseReturnValue:
    """To the sign-in page; a form that was sent too late waits there for its user.

    Raises SignedOut for a form that cannot wait there: its session was ended by somebody, or it is too long.
    """
    if request.method == "POST" and None not in request.form and _has_token():
        typed = unsent_forms.typed()
        if unsent_forms.keep() is None and unsent_forms.has_text(typed):
            raise SignedOut(_("You were signed out, so this wasn't saved."))
    return redirect(url_for("sessions.sign_in", next=_here()), 303)


def _has_token() -> bool:
    """Whether the form carries the token of this very browser's session."""
    try:
        form_origin.check(context.browser(), context.wiring().settings.clinic.public_url)
        csrf.protect()
    except BadRequest:
        return False
    return True


def _needs_second_factor() -> bool:
    """Whether the clinic wants a second factor that somebody who works here has not set up yet."""
    held = context.here()
    required = context.wiring().settings.security.require_second_factor
    return required and held.actor.is_staff and not held.has_second_factor


def _here() -> str:
    """The page asked for, to come back to after signing in."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
