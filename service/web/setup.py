"""The first start: make the admin, or look around in a demo clinic. Gone once a user exists."""

import hmac
import ipaddress
import secrets

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import context, demo
from service.domain import passwords, users
from service.domain.errors import Conflict, Invalid, NotFound
from service.translation import gettext as _
from service.web import notices
from service.web.forms import Form, at_most, required

blueprint = Blueprint("setup", __name__)

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kelp", "maple")


class SetupForm(Form):
    name = wtforms.StringField(_("Your name"), [required(), at_most(200)])
    email = wtforms.StringField(_("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_("Password"), [required()])
    setup_code = wtforms.StringField(_("Setup code"))


class DemoForm(Form):
    password = wtforms.StringField(_("Password of all demo accounts"), [required()])
    setup_code = wtforms.StringField(_("Setup code"))


@blueprint.route("/setup", methods=["GET", "POST"])
def setup() -> ResponseReturnValue:
    """The form for the first admin."""
    _only_while_empty()
    form = SetupForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate() and _knows_code(form):
        try:
            about = (context.wiring().settings.clinic.name, form.name.data or "", form.email.data or "")
            hashed = passwords.chosen(form.password.data or "", about=about).hash
            with context.transaction() as session:
                users.add_first_admin(
                    session,
                    email=form.email.data or "",
                    name=form.name.data or "",
                    password_hash=hashed,
                    address=context.address(),
                )
            notices.say("password_set")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(form, DemoForm(password=_suggestion())), 422 if request.method == "POST" else 200


@blueprint.post("/setup/demo")
def fill_demo() -> ResponseReturnValue:
    """Fill the empty database with a made-up clinic."""
    _only_while_empty()
    form = DemoForm(request.form)
    if form.validate() and _knows_code(form):
        try:
            hashed = passwords.chosen(form.password.data or "").hash
            with context.transaction() as session:
                zone = context.wiring().settings.clinic.zone
                demo.fill(session, zone, demo.Size(), seed=1, password_hash=hashed)
            context.wiring().database.analyse()
            notices.say("demo_ready")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            raise NotFound from None
    return _page(SetupForm(), form), 422


def _page(form: SetupForm, demo_form: DemoForm) -> str:
    return render_template("setup/setup.html", form=form, demo_form=demo_form, needs_code=not _on_this_computer())


def _only_while_empty() -> None:
    if not users.none_exist(context.reading()):
        raise NotFound


def _on_this_computer() -> bool:
    try:
        return ipaddress.ip_address(context.address()).is_loopback
    except ValueError:
        return False


def _knows_code(form: SetupForm | DemoForm) -> bool:
    """Whether the asker sits at this computer or read the code off its console."""
    expected = context.wiring().setup_code.encode()
    given = (form.setup_code.data or "").strip().encode()
    if _on_this_computer() or hmac.compare_digest(given, expected):
        return True
    form.refuse(Invalid(_("The setup code is on the console that Rounds was started from."), "setup_code"))
    return False


def _suggestion() -> str:
    return "-".join(secrets.choice(WORDS) for _turn in range(3)) + f"-{secrets.randbelow(9000) + 1000}"
