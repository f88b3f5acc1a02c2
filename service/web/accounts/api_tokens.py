"""Tokens of other programs: made and revoked at one's own account, all of them seen by the admin."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.accounts import api_tokens, own_account
from service.domain.accounts.api_tokens import Scope
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.accounts.proof import needs_proof
from service.web.forms import Form, at_most, required

blueprint = Blueprint("api_tokens", __name__)


def lasting() -> dict[str, str]:
    """How long a token may work, in days; nothing: until it is revoked."""
    return {"30": _("30 days"), "90": _("90 days"), "365": _("1 year"), "": _("No expiration")}


class TokenForm(Form):
    label = wtforms.StringField(_l("App name"), [required(), at_most(api_tokens.LONGEST_LABEL)])
    scopes = wtforms.SelectMultipleField(
        _l("Permissions"), choices=list(Scope), default=[Scope.READ], validate_choice=False
    )
    days = wtforms.StringField(
        _l("Expires after"), [AnyOf(tuple(lasting()), _l("Choose one of the options in the list."))], default="90"
    )


@blueprint.get("/account/tokens")
@needs_proof
def show() -> ResponseReturnValue:
    """My tokens, and the form for another one."""
    return _page(TokenForm())


@blueprint.post("/account/tokens")
@needs_proof
def make() -> ResponseReturnValue:
    """A new token: this page alone shows it, so it is no redirect."""
    form = TokenForm(request.form)
    if not form.validate():
        return _page(form), 422
    try:
        days = int(form.days.data) if form.days.data else None
        with context.transaction() as session:
            actor = context.actor()
            me = own_account.fetch(session, actor)
            token = api_tokens.make(
                session, actor, me, label=form.label.data or "", scopes=form.scopes.data or [], days=days
            )
    except Invalid as error:
        form.refuse(error)
        return _page(form), 422
    except Conflict as error:
        form.form_errors = [str(error)]
        return _page(form), 409
    return render_template("accounts/api_tokens/made.html", token=token, label=form.label.data)


@blueprint.post("/account/tokens/<row_id:token_id>/removal")
def revoke(token_id: int) -> ResponseReturnValue:
    """End one of my tokens."""
    _end(token_id)
    return redirect(url_for("api_tokens.show"), 303)


@blueprint.get("/tokens")
def index() -> ResponseReturnValue:
    """Everyone's tokens."""
    return render_template(
        "accounts/api_tokens/list.html", tokens=api_tokens.of_all(context.reading(), context.actor())
    )


@blueprint.post("/tokens/<row_id:token_id>/removal")
def revoke_any(token_id: int) -> ResponseReturnValue:
    """End anyone's token."""
    _end(token_id)
    return redirect(url_for("api_tokens.index"), 303)


def _end(token_id: int) -> None:
    with context.transaction() as session:
        api_tokens.revoke(session, context.actor(), token_id)
    notices.say("token_revoked")


def _page(form: TokenForm) -> str:
    tokens = api_tokens.of_user(context.reading(), context.actor())
    return render_template("accounts/api_tokens/show.html", form=form, tokens=tokens, lasting=lasting())
