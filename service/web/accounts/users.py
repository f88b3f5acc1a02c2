"""Users: the admin's list of accounts, invite slips, and the page on which an invited person chooses a password."""

from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.accounts import accounts, known_browsers, second_factors, users
from service.domain.accounts.users import NewUser
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices, tellings
from service.web.accounts import browsers
from service.web.accounts.new_passwords import chosen_by, shortest_for
from service.web.accounts.slips import link_of, qr_code
from service.web.forms import Form, at_most, required
from service.web.patients.patients import asked_id

blueprint = Blueprint("users", __name__)


ROLES = (Role.RECEPTIONIST, Role.DOCTOR, Role.ADMIN)
"""Of those who work here; accounts of patients are made on the page of the patient."""


class InviteForm(Form):
    password = wtforms.PasswordField(_l("New password"), [required()])


class UserForm(Form):
    role = wtforms.StringField(_l("Role"), [AnyOf(ROLES, _l("Choose one of the roles in the list."))], default=ROLES[0])
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    name = wtforms.StringField(_l("Name"), [required(), at_most(200)])
    department = wtforms.StringField(_l("Department"), [at_most(100)])


class RoleForm(Form):
    role = wtforms.StringField(_l("Role"), [AnyOf(ROLES, _l("Choose one of the roles in the list."))])


@blueprint.route("/invite/<token>", methods=["GET", "POST"])
def invite(token: str) -> ResponseReturnValue:
    """GET only shows; POST sets the password and uses the link up. A dead link says so."""
    form = InviteForm(request.form if request.method == "POST" else None)
    user = users.invited(context.reading(), token)
    name = user.name if user else None
    status = 410 if user is None else 422 if request.method == "POST" else 200
    if user and request.method == "POST" and form.validate():
        try:
            password = chosen_by(user, form.password.data or "")
            with context.transaction() as session:
                users.accept_invite(session, token, password, context.address())
                known = known_browsers.remember(session, user.id, context.browser().known_by)
            context.browser().remember(known)
            notices.say("password_set")
            return redirect(url_for("sessions.sign_in"), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            name, status = None, 410
    shortest = shortest_for(user) if user else 0
    page = render_template(
        "accounts/users/invite.html", form=form, name=name, usable=name is not None, shortest=shortest
    )
    return page, status


@blueprint.get("/users")
def index() -> ResponseReturnValue:
    """Accounts of those who work here, or of patients with `?of=patients`; `?q=` looks in names and addresses."""
    of_patients, text = request.args.get("of") == "patients", request.args.get("q", "").strip()
    page = accounts.listing(
        context.reading(), context.actor(), of_patients=of_patients, text=text, after=asked_id("after")
    )
    more: dict[str, Any] = {"of": "patients" if of_patients else None, "q": text or None, "after": page.after}
    return render_template(
        "accounts/users/list.html",
        accounts=page.accounts,
        of_patients=of_patients,
        q=text,
        more_url=url_for("users.index", **more) if page.after else None,
    )


@blueprint.route("/users/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    """The form for someone who works here; they are let in by a link."""
    form = UserForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        try:
            added = NewUser(
                role=Role(form.role.data or ""),
                email=form.email.data or "",
                name=form.name.data or "",
                department=form.department.data or "",
            )
            with context.transaction() as session:
                user_id = users.add(session, context.actor(), added, context.wiring().settings.clinic).id
            notices.say("account_made")
            return redirect(url_for("users.show", user_id=user_id), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict as error:
            form.refuse(Invalid(str(error), "email"))
            return render_template("accounts/users/new.html", form=form, roles=ROLES, inviting=tellings.invited()), 409
    return render_template(
        "accounts/users/new.html", form=form, roles=ROLES, inviting=tellings.invited()
    ), 422 if request.method == "POST" else 200


@blueprint.get("/users/<row_id:user_id>")
def show(user_id: int) -> ResponseReturnValue:
    """One account, and what the admin may do with it."""
    actor, session = context.actor(), context.reading()
    account = accounts.fetch(session, actor, user_id)
    return render_template(
        "accounts/users/show.html",
        account=account,
        department=accounts.department(session, user_id),
        patients=accounts.looked_after(session, actor, user_id),
        is_me=user_id == actor.user_id,
        roles=ROLES if account.user.role in ROLES else (),
        sessions=accounts.open_sessions(session, actor, user_id),
        browser_name=browsers.name,
        has_second_factor=second_factors.is_on(session, user_id),
        factor_off=tellings.account("account_changed", account.user),
    )


@blueprint.post("/users/<row_id:user_id>/invite")
def make_slip(user_id: int) -> ResponseReturnValue:
    """The slip with a new link: this page is the only place where it stands, so it is no redirect."""
    with context.transaction() as session:
        user, token, until = accounts.invite(session, context.actor(), user_id)
    is_admin, link = context.actor().role == Role.ADMIN, link_of(token)
    return render_template(
        "accounts/users/slip.html",
        name=user.name,
        email=user.email,
        link=link,
        qr=qr_code(link),
        until=until,
        back_url=url_for("users.show", user_id=user_id) if is_admin else url_for("patients.index"),
    )


@blueprint.post("/users/<row_id:user_id>/disabling")
def disable(user_id: int) -> ResponseReturnValue:
    """Close an account: its sessions end now."""
    with context.transaction() as session:
        accounts.disable(session, context.actor(), user_id)
    notices.say("user_disabled")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/users/<row_id:user_id>/enabling")
def enable(user_id: int) -> ResponseReturnValue:
    """Open a closed account again."""
    with context.transaction() as session:
        accounts.enable(session, context.actor(), user_id)
    notices.say("user_enabled")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/users/<row_id:user_id>/role")
def change_role(user_id: int) -> ResponseReturnValue:
    """Give someone who works here another role; they sign in again."""
    form = RoleForm(request.form)
    if not form.validate():
        raise Invalid(_("Choose one of the roles in the list."))
    with context.transaction() as session:
        accounts.change_role(session, context.actor(), user_id, form.role.data or "")
    notices.say("role_changed")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/users/<row_id:user_id>/sessions/removal")
def end_sessions(user_id: int) -> ResponseReturnValue:
    """Sign someone out everywhere."""
    with context.transaction() as session:
        accounts.end_sessions(session, context.actor(), user_id)
    notices.say("sessions_ended")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/users/<row_id:user_id>/second-factor/removal")
def reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Take the second factor off someone whose phone is lost."""
    with context.transaction() as session:
        accounts.reset_second_factor(session, context.actor(), user_id)
    notices.say("second_factor_reset")
    return redirect(url_for("users.show", user_id=user_id), 303)
