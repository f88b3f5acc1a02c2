"""Registering oneself, where the clinic's settings allow it: the form, and the page of the mailed link."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import passwords, refusals, registration, sessions
from service.domain.accounts.sessions import Begun
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import User
from service.web import notices
from service.web.accounts import browsers
from service.web.accounts.sessions import go_on
from service.web.forms import Form, at_most, required
from service.web.patients.patient_forms import PatientForm

blueprint = Blueprint("registration", __name__)


class RegistrationForm(PatientForm):
    name = wtforms.StringField(_l("Your name"), [required(), at_most(200)])
    given_name = wtforms.StringField(_l("Your given name"), [at_most(200)])
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_l("Password"), [required()])


class ProofForm(Form):
    password = wtforms.PasswordField(_l("Password"), [required(), at_most(passwords.LONGEST)])


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
            notices.say("registered" if context.wiring().settings.email.enabled else "no_link_by_email")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
    return render_template("accounts/register.html", form=form), 422 if request.method == "POST" else 200


@blueprint.route("/register/<token>", methods=["GET", "POST"])
def prove(token: str) -> ResponseReturnValue:
    """Where the mailed link leads: with the password the account opens, and one is signed in."""
    form = ProofForm(request.form if request.method == "POST" else None)
    user = registration.asked(context.reading(), token)
    if user is None:
        return render_template("accounts/registration_dead.html"), 410
    if request.method == "POST" and form.validate():
        try:
            begun = _proven(user, token, form.password.data or "")
        except Conflict:
            return render_template("accounts/registration_dead.html"), 410
        if begun is not None:
            return go_on(begun, "")
        form.refuse(Invalid(_("Wrong password. Try again."), "password"))
    page = render_template("accounts/registration_proof.html", form=form, email=user.email)
    return page, 422 if request.method == "POST" else 200


def _proven(user: User, token: str, password: str) -> Begun | None:
    """A session of someone who holds the link and knows the password; None when it is wrong. Raises Throttled."""
    here, limits = browsers.here(), context.wiring().settings.security
    with context.counting() as session:
        registration.attempt_proof(session, token)
    if not passwords.matches(user.password_hash, password):
        with context.transaction() as session:
            refusals.note(session, user.id, here)
        return None
    with context.transaction() as session:
        proven = registration.prove(session, token, here.address)
        return sessions.begin(session, proven.id, here, limits)


def _register(form: RegistrationForm) -> None:
    """Make account and record. The slow hash runs outside any transaction, and for known addresses too."""
    details, here = form.details(), context.address()
    about = (context.wiring().settings.clinic.name, details.name, details.email or "")
    with context.counting() as session:
        registration.attempt_password(session, details, here)
    password = passwords.check(form.password.data or "", about=about)
    with context.counting() as session:
        registration.attempt(session, details, here)
    hashed = passwords.hashed(password)
    with context.transaction() as session:
        registration.register(session, details, password_hash=hashed, address=here)
