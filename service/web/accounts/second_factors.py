"""Setting up codes of an authenticator app as the second factor, with recovery codes for the day it is lost."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import second_factors
from service.domain.foundation.errors import Conflict
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.accounts.proof import needs_proof
from service.web.accounts.slips import qr_code
from service.web.forms import Form, at_most, required

blueprint = Blueprint("second_factors", __name__)


class FirstCodeForm(Form):
    code = wtforms.StringField(_l("Code from the app"), [required(), at_most(40)])


@blueprint.get("/account/second-factor")
@needs_proof
def show() -> ResponseReturnValue:
    """Off, being set up, or on."""
    return _page(FirstCodeForm())


@blueprint.post("/account/second-factor")
@needs_proof
def begin() -> ResponseReturnValue:
    """A new secret for the app."""
    with context.transaction() as session:
        second_factors.begin(session, context.actor())
    return redirect(url_for("second_factors.show"), 303)


@blueprint.post("/account/second-factor/confirmation")
@needs_proof
def confirm() -> ResponseReturnValue:
    """A first code proves the app: on from now on. This page alone shows the recovery codes, so it is no redirect."""
    form = FirstCodeForm(request.form)
    if not form.validate():
        return _page(form), 422
    with context.transaction() as session:
        key = context.wiring().secret_key
        codes = second_factors.confirm(session, context.actor(), form.code.data or "", key)
    if codes is None:
        form.code.errors = [_("Wrong code. Check that your phone's clock is right, then try again.")]
        return _page(form), 422
    return render_template("accounts/second_factors/codes.html", codes=codes)


@blueprint.post("/account/second-factor/codes")
@needs_proof
def renew_codes() -> ResponseReturnValue:
    """Ten new recovery codes, shown here only."""
    with context.transaction() as session:
        codes = second_factors.renew_recovery_codes(session, context.actor())
    return render_template("accounts/second_factors/codes.html", codes=codes)


@blueprint.post("/account/second-factor/removal")
@needs_proof
def turn_off() -> ResponseReturnValue:
    """Do without a second factor."""
    if _is_required():
        raise Conflict(
            _(
                "This clinic requires a second factor for all staff. If you lost your phone, an administrator can turn"
                " it off."
            )
        )
    with context.transaction() as session:
        second_factors.turn_off(session, context.actor())
    notices.say("second_factor_off")
    return redirect(url_for("own_account.show"), 303)


def _is_required() -> bool:
    return context.actor().is_staff and context.wiring().settings.security.require_second_factor


def _page(form: FirstCodeForm) -> str:
    wiring, actor = context.wiring(), context.actor()
    begun = second_factors.begun(context.reading(), actor, wiring.secret_key, wiring.settings.clinic.name)
    return render_template(
        "accounts/second_factors/show.html",
        form=form,
        is_on=context.here().has_second_factor,
        is_required=_is_required(),
        secret=begun and begun.secret,
        qr=begun and qr_code(begun.provisioning_uri()),
        codes_left=second_factors.recovery_codes_left(context.reading(), actor.user_id or 0),
    )
