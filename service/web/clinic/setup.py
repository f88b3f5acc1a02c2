"""The first start: its last page makes the admin and puts all answers in place. Or a demo clinic. Then it is gone."""

import secrets

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.demo import clinic as demo
from service.domain.accounts import passwords
from service.domain.accounts.users import NewUser
from service.domain.clinic import setting_up
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.http import context
from service.language.translation import gettext as _
from service.web import notices
from service.web.clinic import restarting, setup_drafts, wizard
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
    """The form for the first admin, after the pages that were answered before it, or alone."""
    setup_drafts.only_while_empty()
    form = SetupForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate() and setup_drafts.knows_code(form):
        try:
            return _begin(form)
        except Invalid as error:
            form.refuse(error)
    return _page(form, DemoForm(password=_suggestion())), 422 if request.method == "POST" else 200


def _begin(form: SetupForm) -> ResponseReturnValue:
    """Everything that was answered takes effect together, or nothing. Raises Invalid."""
    draft, name, email = setup_drafts.mine(), form.name.data or "", form.email.data or ""
    change = restarting.prepared(draft.answers, draft.password)
    clinic = change.settings.clinic
    _count_password()
    hashed = passwords.chosen(form.password.data or "", about=(clinic.name, name, email)).hash
    with change.undone_on_failure(), context.transaction() as session:
        admin = setting_up.begin(
            session,
            NewUser(Role.ADMIN, email, name, password_hash=hashed),
            draft.doctor,
            clinic,
            address=context.address(),
        )
        setting_up.note_settings(session, admin, "setup", change.changes)
        restarting.put_in_place(change)
    setup_drafts.forget_all()
    notices.say("set_up")
    return restarting.lead_to(url_for("sessions.sign_in"), change)


@blueprint.post("/setup/demo")
def fill_demo() -> ResponseReturnValue:
    """Fill the empty database with a made-up clinic."""
    setup_drafts.only_while_empty()
    form = DemoForm(request.form)
    if form.validate() and setup_drafts.knows_code(form):
        try:
            _count_password()
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


def _count_password() -> None:
    """Raise Throttled for an address that had many passwords estimated."""
    with context.counting() as session:
        passwords.attempt(session, network=context.address())


def _page(form: SetupForm, demo_form: DemoForm) -> str:
    return render_template(
        "clinic/setup/setup.html",
        form=form,
        demo_form=demo_form,
        needs_code=setup_drafts.needs_code(),
        begun=bool(setup_drafts.mine().pages or setup_drafts.mine().knows_code),
        **wizard.steps("account"),
    )


def _suggestion() -> str:
    return "-".join(secrets.choice(WORDS) for _turn in range(3)) + f"-{secrets.randbelow(9000) + 1000}"
