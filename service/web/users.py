"""The invite link: choose a password, once."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import context
from service.domain import passwords, users
from service.domain.errors import Conflict, Invalid
from service.translation import gettext as _
from service.web import notices
from service.web.forms import Form, required

blueprint = Blueprint("users", __name__)


class InviteForm(Form):
    password = wtforms.PasswordField(_("New password"), [required()])


@blueprint.route("/invite/<token>", methods=["GET", "POST"])
def invite(token: str) -> ResponseReturnValue:
    """GET only shows; POST sets the password and uses the link up. A dead link says so."""
    form = InviteForm(request.form if request.method == "POST" else None)
    user = users.invited(context.reading(), token)
    name = user.name if user else None
    status = 410 if user is None else 422 if request.method == "POST" else 200
    if user and request.method == "POST" and form.validate():
        try:
            hashed = passwords.hashed(passwords.check(form.password.data or ""))
            with context.transaction() as session:
                users.accept_invite(session, token, hashed)
            notices.say("password_set")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            name, status = None, 410
    return render_template("users/invite.html", form=form, name=name, usable=name is not None), status
