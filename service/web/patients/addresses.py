"""Addresses that an earlier version may have stored wrongly: confirm or correct them one by one."""

from collections.abc import Callable, Mapping

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import doubtful_addresses
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.forms import Form, at_most, required

blueprint = Blueprint("addresses", __name__)


class AddressForm(Form):
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])


@blueprint.get("/patients/addresses")
def index() -> ResponseReturnValue:
    """Show the records, and for administrators the accounts, with a doubtful address."""
    return _page()


@blueprint.post("/patients/<row_id:patient_id>/address")
def settle_patient(patient_id: int) -> ResponseReturnValue:
    """Confirm or correct the address of a record."""

    def settle(email: str) -> None:
        with context.transaction() as session:
            doubtful_addresses.settle_patient(session, context.actor(), patient_id, email)

    return _settled(settle, f"patient-{patient_id}")


@blueprint.post("/users/<row_id:user_id>/address")
def settle_account(user_id: int) -> ResponseReturnValue:
    """Confirm or correct the address of an account."""

    def settle(email: str) -> None:
        with context.transaction() as session:
            doubtful_addresses.settle_account(session, context.actor(), user_id, email)

    return _settled(settle, f"account-{user_id}")


def _settled(settle: Callable[[str], None], row: str) -> ResponseReturnValue:
    form, status = AddressForm(request.form), 422
    try:
        if form.validate():
            settle(form.email.data or "")
            notices.say("address_checked")
            return redirect(url_for("addresses.index"), 303)
    except Invalid as error:
        form.refuse(error)
    except Conflict as error:
        form.refuse(Invalid(str(error), "email"))
        status = 409
    return _page({row: form}), status


def _page(refused: Mapping[str, AddressForm] | None = None) -> str:
    """Show the lists with one form per row; a rejected form keeps what was typed."""
    actor, session = context.actor(), context.reading()
    patients = doubtful_addresses.of_patients(session, actor)
    accounts = doubtful_addresses.of_accounts(session, actor)
    forms = {f"patient-{patient.id}": AddressForm(email=patient.email) for patient in patients}
    forms |= {f"account-{user.id}": AddressForm(email=user.email) for user in accounts}
    return render_template(
        "patients/addresses.html", forms=forms | dict(refused or {}), patients=patients, accounts=accounts
    )
