"""Forgotten passwords: asking for a link, and choosing a new one by it."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import known_browsers, password_reset, passwords, second_factors
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.accounts.new_passwords import chosen_by, shortest_for
from service.web.forms import Form, at_most, required

blueprint = Blueprint("password_reset", __name__)


class AskForm(Form):
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])


class NewPasswordForm(Form):
    password = wtforms.PasswordField(_l("New password"), [required()])


@blueprint.route("/password-reset", methods=["GET", "POST"])
def ask() -> ResponseReturnValue:
    """Ask for a link; the answer is the same whether the address is known or not."""
    form = AskForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        with context.transaction() as session:
            password_reset.ask(session, form.email.data or "", context.address())
        passwords.take_as_long()
        notices.say("reset_asked" if context.wiring().settings.email.enabled else "no_link_by_email")
        return redirect(url_for("sessions.sign_in"), 303)
    return render_template("accounts/password_reset/ask.html", form=form), 422 if request.method == "POST" else 200


@blueprint.route("/password-reset/<token>", methods=["GET", "POST"])
def choose(token: str) -> ResponseReturnValue:
    """GET only shows; POST sets the password and uses the link up. A dead link says so."""
    form = NewPasswordForm(request.form if request.method == "POST" else None)
    user = password_reset.asked(context.reading(), token)
    if user is None:
        return render_template("accounts/password_reset/dead.html"), 410
    shortest = shortest_for(user)
    if request.method == "POST" and form.validate():
        try:
            password = chosen_by(user, form.password.data or "")
            with context.transaction() as session:
                user = password_reset.choose(session, token, password, context.address())
                known = ""  # where a code is still to come, or each link would bring tries at it
                if not second_factors.is_on(session, user.id):
                    known = known_browsers.remember(session, user.id, context.browser().known_by)
            context.browser().remember(known)
            notices.say("password_set")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            return render_template("accounts/password_reset/dead.html"), 410
    page = render_template("accounts/password_reset/choose.html", form=form, shortest=shortest)
    return page, 422 if request.method == "POST" else 200
