"""Access control: which roles and tokens may open which route. The app doesn't start if a route has no entry."""

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
    """Allow only people with these roles."""
    return frozenset(roles)


WATCHED = frozenset({"today.board"})
"""Pages that keep refreshing while their session is locked."""
SETTING_UP = frozenset(
    {
        "second_factors.show",
        "second_factors.begin",
        "second_factors.confirm",
        "own_account.prove",
        "sessions.sign_out",
    }
)
"""All pages that someone can open who still has to set up a second factor."""
TOKEN_IN_ADDRESS = frozenset({"contact_links.unsubscribe"})
"""Forms that mail programs send. They have no form token, so a secret in the URL replaces it."""

csrf = CSRFProtect()


def install(app: Flask, pages: Mapping[str, frozenset[Role]], api: Mapping[str, tuple[frozenset[Role], Scope]]) -> None:
    """Check access before every view. Raises RuntimeError for routes without an entry, or entries without a route.

    `pages` maps endpoints to roles. `api` maps endpoints to roles and the scope that a token needs.
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
    """Redirect signed-out visitors, answer 403 for a wrong role, and 400 for a change without a form token."""
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
    """Answer 401 without a token, 403 for a wrong role or scope. Cookies are ignored, so no form token is needed."""
    caller = bearers.identify()
    if caller.actor.role not in roles:
        raise Forbidden(_("This token's user isn't allowed to do this."))
    if scope not in caller.scopes:
        raise Forbidden(_("This token doesn't have the scope %(scope)s.") % {"scope": scope})


def _watches(roles: frozenset[Role]) -> bool:
    """Return whether this is a wall display refreshing itself. It continues to, but shows less."""
    watcher = context.watcher()
    if watcher is None or _needs_second_factor():
        return False
    return watcher.role in roles and request.endpoint in WATCHED and context.is_poll()


def _to_sign_in() -> ResponseReturnValue:
    """Redirect to the sign-in page, and keep a form submitted after sign-out for its user.

    Raises SignedOut if the form can't be kept: someone ended its session, or the form is too long.
    """
    if request.method == "POST" and None not in request.form and _has_token():
        typed = unsent_forms.typed()
        if unsent_forms.keep() is None and unsent_forms.has_text(typed):
            raise SignedOut(_("You were signed out, so this wasn't saved."))
    return redirect(url_for("sessions.sign_in", next=_here()), 303)


def _has_token() -> bool:
    """Return whether the form has the token of this browser's session."""
    try:
        form_origin.check(context.browser(), context.wiring().settings.clinic.public_url)
        csrf.protect()
    except BadRequest:
        return False
    return True


def _needs_second_factor() -> bool:
    """Return whether this is a staff member who still has to set up the second factor that the clinic requires."""
    held = context.here()
    required = context.wiring().settings.security.require_second_factor
    return required and held.actor.is_staff and not held.has_second_factor


def _here() -> str:
    """Return the requested page, to go back to after sign-in."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
