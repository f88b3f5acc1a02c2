"""Registering oneself, where the clinic's settings allow it."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import passwords, registration
from service.domain.foundation.errors import Invalid, NotFound
from service.http import context
from service.language.translation import gettext as _
from service.web import notices
from service.web.forms import at_most, required
from service.web.patients.patient_forms import PatientForm

blueprint = Blueprint("registration", __name__)


class RegistrationForm(PatientForm):
    name = wtforms.StringField(_("Your name"), [required(), at_most(200)])
    given_name = wtforms.StringField(_("Your given name"), [at_most(200)])
    email = wtforms.StringField(_("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_("Password"), [required()])


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """The form; a good one is answered the same whether the address is new or known."""
    if not context.wiring().settings.booking.self_registration:
        raise NotFound
    if request.method == "GET" and context.visitor() is not None:
        return redirect(url_for("home.home"), 303)
    form = RegistrationForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        try:
            _register(form)
            notices.say("registered")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/register.html", form=form), 422 if request.method == "POST" else 200


def _register(form: RegistrationForm) -> None:
    """Make account and record. The slow hash runs outside any transaction, and for known addresses too."""
    details, here = form.details(), context.address()
    about = (context.wiring().settings.clinic.name, details.name, details.email or "")
    password = passwords.check(form.password.data or "", about=about)
    with context.transaction() as session:
        registration.attempt(session, here)
    hashed = passwords.hashed(password)
    with context.transaction() as session:
        registration.register(session, details, password_hash=hashed, address=here)
