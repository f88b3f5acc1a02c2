"""Signing in and out."""

import re

import wtforms
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from service import context
from service.domain import installation, passwords, sessions
from service.translation import gettext as _
from service.web import notices
from service.web.forms import Form, at_most, required

blueprint = Blueprint("sessions", __name__)


class SignInForm(Form):
    email = wtforms.StringField(_("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_("Password"), [required(), at_most(passwords.LONGEST)])
    next = wtforms.HiddenField()


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    """The sign-in form; a good password opens a new session under a new token."""
    if request.method != "POST" and context.visitor() is not None:
        return redirect(_back_to(request.args.get("next", "")), 303)
    form = SignInForm(request.form if request.method == "POST" else None, next=request.args.get("next", ""))
    if request.method == "POST" and form.validate():
        token = _token_for(form.email.data or "", form.password.data or "")
        if token is not None:
            context.browser().renew(token)
            return redirect(_back_to(form.next.data or ""), 303)
        form.form_errors = [_("The e-mail or the password is not right.")]
    accounts = installation.demo_accounts(context.reading())
    page = render_template(
        "sessions/sign_in.html",
        form=form,
        next=form.next.data or "",
        demo_accounts=accounts,
        may_register=context.wiring().settings.booking.self_registration,
    )
    return page, 422 if request.method == "POST" else 200


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session on the server: its cookie is worthless from now on."""
    with context.transaction() as writing:
        sessions.end(writing, context.actor(), context.browser().token)
    notices.say("signed_out")
    return redirect(url_for("sessions.sign_in"), 303)


def _token_for(email: str, password: str) -> str | None:
    """A new session's token, or None when the password is wrong. The slow hash runs outside any transaction."""
    here = context.address()
    with context.transaction() as writing:
        user_id, stored = sessions.stored_password(writing, email, here)
    if not passwords.matches(stored, password) or user_id is None:
        with context.transaction() as writing:
            sessions.failed(writing, user_id, here)
        return None
    hours = context.wiring().settings.security.session_hours
    with context.transaction() as writing:
        return sessions.begin(writing, user_id, here, hours, replaces=context.browser().token)


def _back_to(target: str) -> str:
    """`next` if it is a page of ours that can be opened, else the front door."""
    if not re.fullmatch(r"/(?![/\\])[!-~]*", target) or "\\" in target:
        return url_for("home.home")
    try:
        current_app.url_map.bind("").match(target.partition("?")[0], "GET")
    except HTTPException:
        return url_for("home.home")
    return target
