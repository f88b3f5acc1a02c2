"""One's own account: name, address, phone, password, and where one is signed in."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import known_browsers, own_account, passwords, second_factors, sessions
from service.domain.foundation.errors import Invalid
from service.http import context
from service.language import catalogs
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import AddressForm, User
from service.web import notices, tellings
from service.web.accounts import browsers
from service.web.accounts.new_passwords import chosen_by, shortest_for
from service.web.accounts.proof import needs_proof
from service.web.accounts.sessions import back_to, proves
from service.web.forms import Form, at_most, required
from service.web.patients import shared_email
from service.web.patients.shared_email import SharedEmailForm

blueprint = Blueprint("own_account", __name__)


class NameForm(Form):
    name = wtforms.StringField(_l("Name"), [required(), at_most(200)])


class LanguageForm(Form):
    language = wtforms.SelectField(_l("Language"), default="", validate_choice=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.language.choices = [("", _("Clinic's language")), *catalogs.names().items()]


class EmailForm(SharedEmailForm):
    email = wtforms.StringField(_l("New e-mail address"), [required(), at_most(254)])
    next = wtforms.HiddenField()


class PhoneForm(Form):
    phone = wtforms.StringField(_l("Phone"), [at_most(40)])


class PasswordForm(Form):
    current_password = wtforms.PasswordField(_l("Current password"), [required(), at_most(passwords.LONGEST)])
    password = wtforms.PasswordField(_l("New password"), [required()])


class ProofForm(Form):
    password = wtforms.PasswordField(_l("Password"), [required(), at_most(passwords.LONGEST)])
    next = wtforms.HiddenField()


@blueprint.get("/account")
def show() -> ResponseReturnValue:
    """Everything about one's own account on one page."""
    return _page(NameForm(name=_me().name))


@blueprint.post("/account/name")
def change_name() -> ResponseReturnValue:
    """How one is called on pages."""
    form = NameForm(request.form)
    if form.validate():
        try:
            with context.transaction() as session:
                own_account.change_name(session, context.actor(), form.name.data or "")
            notices.say("name_changed")
            return redirect(url_for("own_account.show"), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(form), 422


@blueprint.post("/account/language")
def change_language() -> ResponseReturnValue:
    """In which language one's own pages and mail are."""
    form = LanguageForm(request.form)
    if form.validate():
        try:
            with context.transaction() as session:
                own_account.change_language(session, context.actor(), form.language.data or "")
            notices.say("language_changed")
            return redirect(url_for("own_account.show"), 303)
        except Invalid as error:
            form.refuse(error)
    return _page(NameForm(name=_me().name), form), 422


@blueprint.route("/account/email", methods=["GET", "POST"])
@needs_proof
def change_email() -> ResponseReturnValue:
    """Ask for another address to sign in with; the answer is the same whether it has an account or not.

    Who has a doubtful one is asked here after signing in.
    """
    me, target = _me(), request.args.get("next", "")
    doubtful = me.email_form == AddressForm.DOUBTFUL
    typed = request.form if request.method == "POST" else None
    form, status = EmailForm(typed, email=me.email if doubtful else "", next=target), 200
    form.offer(own_account.records(context.reading(), context.actor()))
    if request.method == "POST":
        status = 422
        try:
            if form.validate():
                with context.transaction() as session:
                    own_account.ask_for_email(session, context.actor(), form.email.data or "", form.chosen())
                notices.say(_said_of_address(form.email.data or "", me))
                return redirect(_after_address(form), 303)
        except Invalid as error:
            form.refuse(error)
    page = render_template(
        "accounts/own_account/email.html",
        form=form,
        email=me.email,
        doubtful=doubtful,
        leaving=tellings.invited(),
        back_url=_after_address(form),
    )
    return page, status


@blueprint.route("/account/email/<token>", methods=["GET", "POST"])
def prove_email(token: str) -> ResponseReturnValue:
    """Where the link in the new mailbox leads: GET only shows a button, because mail scanners open links."""
    user = own_account.email_asked(context.reading(), token)
    if user is None:
        return render_template("accounts/own_account/email_dead.html"), 410
    if request.method != "POST":
        return render_template("accounts/own_account/email_proof.html", email=user.new_email)
    with context.transaction() as session:
        changed = own_account.prove_email(session, token, context.address())
    notices.say("email_changed")
    return redirect(url_for("own_account.show", changed=changed), 303)


@blueprint.route("/account/phone", methods=["GET", "POST"])
@needs_proof
def change_phone() -> ResponseReturnValue:
    """The phone number on one's own record, or on the one of the same address that is asked for."""
    asked = request.args.get("patient_id", type=int)
    record = own_account.record_to_call(context.reading(), context.actor(), asked)
    form = PhoneForm(request.form if request.method == "POST" else None, phone=record.phone or "")
    if request.method == "POST" and form.validate():
        try:
            with context.transaction() as session:
                country = context.wiring().settings.clinic.country
                own_account.change_phone(session, context.actor(), form.phone.data or "", country, asked)
            notices.say("phone_changed")
            return redirect(url_for("own_account.show"), 303)
        except Invalid as error:
            form.refuse(error)
    page = render_template("accounts/own_account/phone.html", form=form, record=record, asked=asked)
    return page, 422 if request.method == "POST" else 200


@blueprint.route("/account/password", methods=["GET", "POST"])
def change_password() -> ResponseReturnValue:
    """A new password for the current one; everyone who is signed in with it signs in again."""
    form = PasswordForm(request.form if request.method == "POST" else None)
    me = _me()
    shortest = shortest_for(me)
    if request.method == "POST" and form.validate():
        try:
            if proves(form.current_password.data or ""):
                password = chosen_by(me, form.password.data or "")
                with context.transaction() as session:
                    own_account.change_password(session, context.actor(), password)
                    known = known_browsers.remember(session, me.id, context.browser().known_by)
                context.browser().remember(known)
                notices.say("password_changed")
                return redirect(url_for("sessions.sign_in"), 303)
            form.refuse(Invalid(_("Wrong password. Try again."), "current_password"))
        except Invalid as error:
            form.refuse(error)
    page = render_template("accounts/own_account/password.html", form=form, shortest=shortest)
    return page, 422 if request.method == "POST" else 200


@blueprint.route("/account/proof", methods=["GET", "POST"])
def prove() -> ResponseReturnValue:
    """The password again, before something private is changed."""
    form = ProofForm(request.form if request.method == "POST" else None, next=request.args.get("next", ""))
    if request.method == "POST" and form.validate():
        if proves(form.password.data or ""):
            return redirect(back_to(form.next.data or ""), 303)
        form.refuse(Invalid(_("Wrong password. Try again."), "password"))
    page = render_template("accounts/own_account/proof.html", form=form, has_password=_me().password_hash is not None)
    return page, 422 if request.method == "POST" else 200


@blueprint.post("/account/sessions/<row_id:session_id>/removal")
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    with context.transaction() as session:
        sessions.end_one(session, context.actor(), session_id)
    notices.say("session_ended")
    return redirect(url_for("own_account.show"), 303)


@blueprint.post("/account/sessions/removal")
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's sessions but this one."""
    with context.transaction() as session:
        sessions.end_others(session, context.actor(), context.here().session_id, context.browser().known_by)
    notices.say("other_sessions_ended")
    return redirect(url_for("own_account.show"), 303)


def _after_address(form: EmailForm) -> str:
    """Where someone was going when they were asked for their address; else to the account."""
    return back_to(form.next.data) if form.next.data else url_for("own_account.show")


def _said_of_address(typed: str, me: User) -> str:
    if typed.strip() == me.email:
        return "email_kept"
    return "email_asked" if context.wiring().settings.email.enabled else "no_link_by_email"


def _me() -> User:
    return own_account.fetch(context.reading(), context.actor())


def _page(form: NameForm, language_form: LanguageForm | None = None) -> str:
    session, actor, me = context.reading(), context.actor(), _me()
    return render_template(
        "accounts/own_account/show.html",
        form=form,
        language_form=language_form or LanguageForm(data={"language": me.language or ""}),
        me=me,
        records=own_account.records(session, actor),
        changed=shared_email.changed(me.email_key),
        has_second_factor=context.here().has_second_factor,
        codes_left=second_factors.recovery_codes_left(session, me.id),
        sessions=sessions.of_user(session, me.id),
        browser_name=browsers.name,
        here=context.here().session_id,
    )
