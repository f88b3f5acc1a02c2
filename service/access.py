"""Who may enter which route, and with which token. Default deny: the app does not start while a route is missing."""

from flask import Flask, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect

from service import bearers, context, unsent_forms
from service.domain.actor import Role
from service.domain.api_tokens import Scope
from service.domain.errors import Forbidden
from service.translation import gettext as _

A, R, D, P = Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT
ANYONE: frozenset[Role] = frozenset()
SIGNED_IN = frozenset({A, R, D, P})
STAFF = frozenset({A, R, D})
DESK = frozenset({A, R})

ACCESS: dict[str, frozenset[Role]] = {
    "static": ANYONE,
    "guide.document": ANYONE,
    "guide.page": ANYONE,
    "health.livez": ANYONE,
    "health.readyz": ANYONE,
    "health.show_metrics": ANYONE,
    "home.home": ANYONE,
    "setup.setup": ANYONE,
    "setup.fill_demo": ANYONE,
    "wizard.show": ANYONE,
    "wizard.save": ANYONE,
    "sessions.sign_in": ANYONE,
    "sessions.sign_out": SIGNED_IN,
    "sessions.unlock": ANYONE,
    "sign_in_links.ask": ANYONE,
    "sign_in_links.use": ANYONE,
    "password_reset.ask": ANYONE,
    "password_reset.choose": ANYONE,
    "own_account.show": SIGNED_IN,
    "own_account.change_name": SIGNED_IN,
    "own_account.change_email": SIGNED_IN,
    "own_account.change_phone": frozenset({P}),
    "own_account.change_password": SIGNED_IN,
    "own_account.prove": SIGNED_IN,
    "own_account.end_session": SIGNED_IN,
    "own_account.end_other_sessions": SIGNED_IN,
    "api_tokens.show": SIGNED_IN,
    "api_tokens.make": SIGNED_IN,
    "api_tokens.revoke": SIGNED_IN,
    "api_tokens.index": frozenset({A}),
    "api_tokens.revoke_any": frozenset({A}),
    "second_factors.show": SIGNED_IN,
    "second_factors.begin": SIGNED_IN,
    "second_factors.confirm": SIGNED_IN,
    "second_factors.renew_codes": SIGNED_IN,
    "second_factors.turn_off": SIGNED_IN,
    "unsent_forms.show": SIGNED_IN,
    "unsent_forms.discard": SIGNED_IN,
    "users.invite": ANYONE,
    "users.index": frozenset({A}),
    "users.new": frozenset({A}),
    "users.show": frozenset({A}),
    "users.make_slip": DESK,
    "users.disable": frozenset({A}),
    "users.enable": frozenset({A}),
    "users.change_role": frozenset({A}),
    "users.end_sessions": frozenset({A}),
    "users.reset_second_factor": frozenset({A}),
    "registration.register": ANYONE,
    "appointments.index": SIGNED_IN,
    "appointments.show": SIGNED_IN,
    "booking.new": SIGNED_IN,
    "booking.create": SIGNED_IN,
    "booking.walk_in": STAFF,
    "booking.move": SIGNED_IN,
    "booking.reschedule": SIGNED_IN,
    "outcomes.cancel": SIGNED_IN,
    "outcomes.confirm": STAFF,
    "outcomes.arrive": STAFF,
    "outcomes.complete": STAFF,
    "outcomes.no_show": STAFF,
    "outcomes.undo": STAFF,
    "outcomes.to_complete": STAFF,
    "treatments.history": frozenset({P}),
    "treatments.edit": frozenset({D}),
    "treatments.save": frozenset({D}),
    "exports.new": frozenset({P, D}),
    "exports.create": frozenset({P, D}),
    "exports.show": frozenset({P, D}),
    "exports.file": frozenset({P, D}),
    "exports.cancel": frozenset({P, D}),
    "exports.revoke": frozenset({P, D}),
    "clinic_exports.index": frozenset({A}),
    "clinic_exports.create": frozenset({A}),
    "clinic_exports.show": frozenset({A}),
    "clinic_exports.file": frozenset({A}),
    "clinic_exports.cancel": frozenset({A}),
    "clinic_exports.revoke": frozenset({A}),
    "patients.index": STAFF,
    "patients.record": STAFF,
    "patients.archive": DESK,
    "patients.restore": DESK,
    "patients.confirm": DESK,
    "patients.note_print": frozenset({D}),
    "patient_forms.new": DESK,
    "patient_forms.create": DESK,
    "patient_forms.edit": STAFF,
    "patient_forms.save": STAFF,
    "patient_forms.save_alerts": frozenset({D}),
    "messages.index": DESK,
    "messages.show": DESK,
    "messages.retry": DESK,
    "messages.hold": DESK,
    "messages.let_go": DESK,
    "messages.mark_phoned": DESK,
    "messages.unmark_phoned": DESK,
    "messages.pause": DESK,
    "messages.resume": DESK,
    "messages.release": DESK,
    "morning_sheet.show": DESK,
    "next_run.index": DESK,
    "next_run.edit": DESK,
    "next_run.save": DESK,
    "next_run.restore": DESK,
    "next_run.hold": DESK,
    "next_run.let_go": DESK,
    "next_run.mark_phoned": DESK,
    "merging.choose": DESK,
    "merging.merge": DESK,
    "guardians.index": DESK,
    "guardians.link": DESK,
    "guardians.unlink": DESK,
    "doctors.index": STAFF,
    "doctors.show": STAFF,
    "doctors.change": STAFF,
    "doctors.add_hours": STAFF,
    "doctors.remove_hours": STAFF,
    "doctors.add_cover": DESK,
    "doctors.remove_cover": DESK,
    "time_off.index": STAFF,
    "time_off.create": STAFF,
    "time_off.create_extra": STAFF,
    "time_off.remove": STAFF,
    "hit_visits.show": STAFF,
    "hit_visits.move": STAFF,
    "hit_visits.cancel": STAFF,
    "hit_visits.propose": STAFF,
    "hit_visits.withdraw": STAFF,
    "visit_types.index": frozenset({A, R}),
    "visit_types.create": frozenset({A, R}),
    "visit_types.edit": frozenset({A, R}),
    "visit_types.change": frozenset({A, R}),
    "today.board": STAFF,
    "day_sheet.show": STAFF,
    "calendar.show": STAFF,
    "waiting_list.index": STAFF,
    "waiting_list.new": frozenset({A, R}),
    "waiting_list.create": frozenset({A, R}),
    "waiting_list.remove": frozenset({A, R}),
    "waiting_list.fits": STAFF,
    "waiting_list.offer": frozenset({A, R}),
    "visit_links.show": ANYONE,
    "visit_links.confirm": ANYONE,
    "visit_links.cancel": ANYONE,
    "visit_links.undo": ANYONE,
    "visit_links.times": ANYONE,
    "visit_links.reschedule": ANYONE,
    "offer_links.show": ANYONE,
    "offer_links.accept": ANYONE,
    "offer_links.decline": ANYONE,
    "contact_links.show": ANYONE,
    "contact_links.save": ANYONE,
    "contact_links.unsubscribe": ANYONE,
    "contact_links.unsubscribed": ANYONE,
    "consent.mine": frozenset({P}),
    "consent.save": frozenset({A, R, P}),
    "offers.show": frozenset({A, R}),
    "offers.accept": frozenset({A, R}),
    "offers.decline": frozenset({A, R}),
    "reports.index": frozenset({A, D}),
    "reports.show": frozenset({A, D}),
    "reports.file": frozenset({A, D}),
    "reports.remake": frozenset({A}),
    "clinic_reports.show": frozenset({A}),
    "clinic_reports.file": frozenset({A}),
    "clinic_reports.remake": frozenset({A}),
    "imports.index": frozenset({A}),
    "imports.upload": frozenset({A}),
    "imports.show": frozenset({A}),
    "imports.step": frozenset({A}),
    "dashboard.dashboard": frozenset({A}),
    "dashboard.refresh": frozenset({A}),
    "figures.show": frozenset({R, D}),
    "jobs.index": frozenset({A}),
    "jobs.run_now": frozenset({A}),
    "system.show": frozenset({A}),
    "system.confirm_clock": frozenset({A}),
    "system.problem": frozenset({A}),
    "system.show_demo": frozenset({A}),
    "system.wipe_demo": frozenset({A}),
    "settings.index": frozenset({A}),
    "settings.show": frozenset({A}),
    "settings.save": frozenset({A}),
    "erasures.index": frozenset({A}),
    "erasures.show": frozenset({A}),
    "erasures.erase": frozenset({A}),
    "erasures.put_hold": frozenset({A}),
    "erasures.lift_hold": frozenset({A}),
    "record_changes.index": STAFF,
    "audit.index": frozenset({A}),
    "audit.file": frozenset({A}),
    "looks.index": frozenset({P}),
    "emergencies.new": frozenset({D}),
    "emergencies.create": frozenset({D}),
    "emergencies.mark_seen": frozenset({A}),
}
"""Endpoint -> roles that may enter. Which rows they see is decided in the function that fetches the row."""

API: dict[str, tuple[frozenset[Role], Scope]] = {
    "api.statistics.show": (STAFF, Scope.READ),
    "api.doctors.index": (SIGNED_IN, Scope.READ),
    "api.doctors.show": (SIGNED_IN, Scope.READ),
    "api.doctors.free_times": (SIGNED_IN, Scope.READ),
    "api.doctors.any_free_times": (SIGNED_IN, Scope.READ),
    "api.patients.index": (SIGNED_IN, Scope.READ),
    "api.patients.create": (DESK, Scope.BOOK),
    "api.patients.show": (SIGNED_IN, Scope.READ),
    "api.patients.change": (STAFF, Scope.BOOK),
    "api.appointments.index": (SIGNED_IN, Scope.READ),
    "api.appointments.create": (SIGNED_IN, Scope.BOOK),
    "api.appointments.show": (SIGNED_IN, Scope.READ),
    "api.appointments.cancel": (SIGNED_IN, Scope.BOOK),
    "api.appointments.reschedule": (SIGNED_IN, Scope.BOOK),
    "api.appointments.arrive": (STAFF, Scope.BOOK),
    "api.appointments.complete": (STAFF, Scope.BOOK),
    "api.appointments.no_show": (STAFF, Scope.BOOK),
    "api.treatments.index": (frozenset({D, P}), Scope.CLINICAL),
    "api.treatments.show": (frozenset({D, P}), Scope.CLINICAL),
    "api.treatments.save": (frozenset({D}), Scope.CLINICAL),
    "api.messages.index": (DESK, Scope.READ),
    "api.messages.show": (DESK, Scope.READ),
    "api.exports.create": (frozenset({P, D}), Scope.CLINICAL),
    "api.exports.show": (frozenset({P, D}), Scope.CLINICAL),
    "api.exports.file": (frozenset({P, D}), Scope.CLINICAL),
    "api.reports.index": (frozenset({A, D}), Scope.CLINICAL),
    "api.reports.show": (frozenset({A, D}), Scope.CLINICAL),
    "api.jobs.index": (frozenset({A}), Scope.READ),
}
"""Endpoint -> roles whose tokens may enter, and the scope a token needs for it."""

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


def install(app: Flask) -> None:
    """Put the guard before every view; RuntimeError names routes that do not say who may enter."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    said = ACCESS.keys() | API.keys()
    silent = {rule.endpoint for rule in app.url_map.iter_rules()} - said
    unused = said - {rule.endpoint for rule in app.url_map.iter_rules()}
    if silent or unused:
        raise RuntimeError(f"access.py: no entry for {sorted(silent)}, no route for {sorted(unused)}")
    app.before_request(_guard)


def _guard() -> ResponseReturnValue | None:
    """Signed out -> sign in first; wrong role -> 403; a change without its form token -> 400."""
    if request.endpoint is None or request.endpoint == "static":
        return None
    if request.endpoint in API:
        _guard_api(*API[request.endpoint])
        return None
    roles = ACCESS[request.endpoint]
    if roles:
        visitor = context.visitor()
        if visitor is None:
            return None if _watches(roles) else _to_sign_in()
        if visitor.role not in roles:
            raise Forbidden(_("Your account may not open this page."))
        if _needs_second_factor() and request.endpoint not in SETTING_UP:
            return redirect(url_for("second_factors.show"), 303)
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        if None in request.form:  # a part of a multipart body without a name, which Flask-WTF stumbles over
            abort(400)
        if request.endpoint not in TOKEN_IN_ADDRESS:
            csrf.protect()
    return None


def _guard_api(roles: frozenset[Role], scope: Scope) -> None:
    """No token -> 401; a role or a scope that does not reach -> 403. No cookie counts, so no form token is needed."""
    caller = bearers.identify()
    if caller.actor.role not in roles:
        raise Forbidden(_("The user of this token may not do this."))
    if scope not in caller.scopes:
        raise Forbidden(_("This token lacks the scope %(scope)s.") % {"scope": scope})


def _watches(roles: frozenset[Role]) -> bool:
    """Whether this is a board on the wall that refreshes itself: it goes on, with less on it."""
    watcher = context.watcher()
    if watcher is None or _needs_second_factor():
        return False
    return watcher.role in roles and request.endpoint in WATCHED and context.is_poll()


def _to_sign_in() -> ResponseReturnValue:
    """To the sign-in page; a form that was sent too late waits there for its user."""
    if request.method == "POST" and None not in request.form and _has_token():
        unsent_forms.keep()
    return redirect(url_for("sessions.sign_in", next=_here()), 303)


def _has_token() -> bool:
    """Whether the form carries the token of this very browser's session."""
    try:
        csrf.protect()
    except CSRFError:
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
