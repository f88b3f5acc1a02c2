"""Who may enter which route. Default deny: the app does not start while a route is missing here."""

from flask import Flask, Response, redirect, request, url_for
from flask_wtf.csrf import CSRFProtect

from service import context
from service.domain.actor import Role
from service.domain.errors import Forbidden
from service.translation import gettext as _

A, R, D, P = Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT
ANYONE: frozenset[Role] = frozenset()
SIGNED_IN = frozenset({A, R, D, P})
STAFF = frozenset({A, R, D})

ACCESS: dict[str, frozenset[Role]] = {
    "static": ANYONE,
    "health.livez": ANYONE,
    "home.home": ANYONE,
    "setup.setup": ANYONE,
    "setup.fill_demo": ANYONE,
    "sessions.sign_in": ANYONE,
    "sessions.sign_out": SIGNED_IN,
    "users.invite": ANYONE,
    "appointments.index": SIGNED_IN,
    "appointments.show": SIGNED_IN,
    "treatments.history": frozenset({P}),
    "treatments.edit": frozenset({D}),
    "treatments.save": frozenset({D}),
    "exports.create": frozenset({P, D}),
    "exports.show": frozenset({P, D}),
    "exports.file": frozenset({P, D}),
    "patients.record": frozenset({D}),
    "today.board": STAFF,
    "reports.index": frozenset({A, D}),
    "reports.show": frozenset({A, D}),
    "reports.file": frozenset({A, D}),
    "dashboard.dashboard": frozenset({A}),
    "dashboard.refresh": frozenset({A}),
    "jobs.index": frozenset({A}),
    "jobs.run_now": frozenset({A}),
}
"""Endpoint -> roles that may enter. Which rows they see is decided in the function that fetches the row."""

csrf = CSRFProtect()


def install(app: Flask) -> None:
    """Put the guard before every view; RuntimeError names routes that do not say who may enter."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    silent = {rule.endpoint for rule in app.url_map.iter_rules()} - ACCESS.keys()
    unused = ACCESS.keys() - {rule.endpoint for rule in app.url_map.iter_rules()}
    if silent or unused:
        raise RuntimeError(f"access.py: no entry for {sorted(silent)}, no route for {sorted(unused)}")
    app.before_request(_guard)


def _guard() -> Response | None:
    """Signed out -> sign in first; wrong role -> 403; a change without its form token -> 400."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    roles = ACCESS[request.endpoint]
    if roles:
        visitor = context.visitor()
        if visitor is None:
            return redirect(url_for("sessions.sign_in", next=_here()), 303)  # type: ignore[return-value]
        if visitor.role not in roles:
            raise Forbidden(_("Your account may not open this page."))
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        csrf.protect()
    return None


def _here() -> str:
    """The page asked for, to come back to after signing in."""
    return request.full_path.rstrip("?") if request.method == "GET" else request.path
