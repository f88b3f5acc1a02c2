"""Signing in and out, and going on at a board that was left alone."""

import re
from typing import Any

import wtforms
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service.domain.accounts import own_account, passwords, refusals, second_factors, sessions, unsent_forms
from service.domain.accounts.sessions import Begun
from service.domain.foundation import installation
from service.domain.foundation.errors import Conflict
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.accounts import browsers
from service.web.forms import Form, at_most, required

blueprint = Blueprint("sessions", __name__)


class SignInForm(Form):
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_l("Password"), [required(), at_most(passwords.LONGEST)])
    code = wtforms.StringField(_l("Code"), [at_most(40)])
    next = wtforms.HiddenField()


class CodeForm(Form):
    code = wtforms.StringField(_l("Code"), [required(), at_most(40)])
    next = wtforms.HiddenField()


class UnlockForm(Form):
    password = wtforms.PasswordField(_l("Password"), [required(), at_most(passwords.LONGEST)])
    next = wtforms.HiddenField()


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in form; a good password opens a new session under a new token, with a second factor after its code."""
    if request.method != "POST" and context.visitor() is not None:
        return redirect(back_to(request.args.get("next", "")), 303)
    if _awaits_code() and "email" not in request.form and "again" not in request.args:
        return _ask_code()
    form = SignInForm(request.form if request.method == "POST" else None, next=request.args.get("next", ""))
    if request.method == "POST" and form.validate():
        begun = _begun(form.email.data or "", form.password.data or "")
        if begun is not None:
            return go_on(begun, form.next.data or "", form.code.data or "")
        form.form_errors = [_("Wrong e-mail address or password.")]
    return _sign_in_page(form), 422 if request.method == "POST" else 200


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session on the server: its cookie is worthless from now on."""
    with context.transaction() as writing:
        sessions.end(writing, context.actor(), context.browser().token)
    notices.say("signed_out")
    return redirect(url_for("sessions.sign_in"), 303)


@blueprint.post("/unlock")
def unlock() -> ResponseReturnValue:
    """One password to go on at a board that was left alone; a wrong one leads to the sign-in page."""
    form, watcher = UnlockForm(request.form), context.watcher()
    target = form.next.data or ""
    if watcher is None:
        return redirect(url_for("sessions.sign_in", next=target), 303)
    if form.validate() and proves(form.password.data or ""):
        return redirect(back_to(target), 303)
    again = SignInForm(email=own_account.fetch(context.reading(), watcher).email, next=target)
    again.form_errors = [_("Wrong password. Try again.")]
    return _sign_in_page(again), 422


def go_on(begun: Begun, target: str, code: str = "") -> ResponseReturnValue:
    """To the page asked for, or to the form that was sent too late; first to the code where one is asked for."""
    context.browser().renew(begun.token)
    context.browser().remember(begun.known)
    if not begun.awaits_code:
        return redirect(_landing(begun.token, target), 303)
    if code:
        return _complete(CodeForm(code=code, next=target))
    return redirect(url_for("sessions.sign_in", next=target or None), 303)


def proves(password: str) -> bool:
    """Whether the password is that of the person who holds this session; if so it is noted. Raises Throttled."""
    held = context.here()
    with context.transaction() as writing:
        stored = sessions.own_password(writing, held.actor, held.session_id)
    if not passwords.matches(stored, password):
        with context.transaction() as writing:
            refusals.note(writing, held.actor.user_id, browsers.here(), held.session_id)
        return False
    with context.transaction() as writing:
        sessions.prove(writing, held.actor, held.session_id)
    return True


def back_to(target: str) -> str:
    """`next` if it is a page of ours that can be opened, else the front door."""
    if not re.fullmatch(r"/(?![/\\])[!-~]*", target) or "\\" in target:
        return url_for("home.home")
    try:
        current_app.url_map.bind("").match(target.partition("?")[0], "GET")
    except HTTPException:
        return url_for("home.home")
    return target


def _begun(email: str, password: str) -> Begun | None:
    """A new session, or None when the password is wrong. The slow hash runs outside any transaction."""
    here = browsers.here()
    with context.transaction() as writing:
        user_id, stored = sessions.stored_password(writing, email, here)
    if not passwords.matches(stored, password) or user_id is None:
        with context.transaction() as writing:
            refusals.note(writing, user_id, here)
        return None
    with context.transaction() as writing:
        return sessions.begin(writing, user_id, here, context.wiring().settings.security)


def _awaits_code() -> bool:
    browser = context.browser()
    return browser.known and sessions.awaiting_code(context.reading(), browser.token) is not None


def _ask_code() -> ResponseReturnValue:
    """The second step of signing in."""
    if request.method != "POST":
        return _code_page(CodeForm(next=request.args.get("next", "")))
    form = CodeForm(request.form)
    if form.validate():
        return _complete(form)
    return _code_page(form), 422


def _complete(form: CodeForm) -> ResponseReturnValue:
    """Open the session if the code is right."""
    wiring = context.wiring()
    key, limits = wiring.secret_key, wiring.settings.security
    try:
        with context.transaction() as writing:
            begun = second_factors.complete_sign_in(writing, browsers.here(), form.code.data or "", key, limits)
    except Conflict:
        return redirect(url_for("sessions.sign_in", next=form.next.data), 303)
    if begun is None:
        form.code.errors = [_("Wrong code, or it has already been used.")]
        return _code_page(form), 422
    return go_on(begun, form.next.data or "")


def _landing(token: str, target: str) -> str:
    """Where someone who has just signed in goes."""
    found = sessions.find(context.reading(), token, context.wiring().settings.security, context.address())
    if found is not None and unsent_forms.of_user(context.reading(), found.actor):
        return url_for("unsent_forms.show")
    if found is not None and own_account.is_asked_for_address(context.reading(), found.actor):
        return url_for("own_account.change_email", next=back_to(target))
    return back_to(target)


def _code_page(form: CodeForm) -> str:
    return render_template("accounts/sessions/code.html", form=form, next=form.next.data or "")


def _sign_in_page(form: SignInForm) -> str:
    settings = context.wiring().settings
    more: dict[str, Any] = {
        "demo_accounts": installation.demo_accounts(context.reading()),
        "may_register": settings.booking.self_registration,
        "sign_in_links": settings.security.sign_in_links,
    }
    return render_template("accounts/sessions/sign_in.html", form=form, next=form.next.data or "", **more)
