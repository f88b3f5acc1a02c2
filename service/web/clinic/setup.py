"""The first start: its last page makes the admin and puts all answers in place. Or a demo clinic. Then it is gone."""

import secrets
from typing import Any

import wtforms
from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.demo import clinic as demo
from service.domain.accounts import passwords
from service.domain.accounts.users import NewUser
from service.domain.clinic import setting_up
from service.domain.foundation import installation
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.clinic import restarting, setup_drafts, wizard
from service.web.clinic.place_form import PlaceForm, chosen_so_far
from service.web.forms import Form, at_most, required

blueprint = Blueprint("setup", __name__)

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "kelp", "maple")


class SetupForm(Form):
    name = wtforms.StringField(_l("Your name"), [required(), at_most(200)])
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    password = wtforms.PasswordField(_l("Password"), [required()])
    setup_code = wtforms.StringField(_l("Setup code"))


class DemoForm(PlaceForm):
    password = wtforms.StringField(_l("Password for all demo accounts"), [required()])


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
    return _page(form, _demo_form(chosen_so_far())), 422 if request.method == "POST" else 200


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
    form = _demo_form(request.form)
    if form.validate() and setup_drafts.knows_code(form):
        try:
            return _fill(form)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            raise NotFound from None
    return _page(SetupForm(), form), 422


def _fill(form: DemoForm) -> ResponseReturnValue:
    """The demo clinic stands where the form says, from the next start on. Raises Invalid, Conflict."""
    wiring = context.wiring()
    change = restarting.prepared(form.answers(wiring.settings) if form.is_elsewhere(wiring.settings) else {})
    _count_password()
    hashed = passwords.chosen(form.password.data or "").hash
    zone = change.settings.clinic.zone
    with change.undone_on_failure(), context.transaction() as session:
        demo.fill(session, zone, demo.Size(), seed=1, password_hash=hashed)
        installation.note_zone(session, zone)
        restarting.put_in_place(change)
    wiring.database.analyse()
    notices.say("demo_ready")
    return restarting.lead_to(url_for("sessions.sign_in"), change)


def _demo_form(typed: Any) -> DemoForm:
    form = DemoForm.at_first_start(context.wiring().settings, typed)
    form.password.data = form.password.data or (None if request.method == "POST" else _suggestion())
    return form


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
        **wizard.around("account"),
    )


def _suggestion() -> str:
    return "-".join(secrets.choice(WORDS) for _turn in range(3)) + f"-{secrets.randbelow(9000) + 1000}"
