"""Guardians of a patient: linking an account to a record, and unlinking it."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import guardians
from service.domain.foundation.errors import Invalid
from service.domain.patients import patients
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.web import notices, tellings
from service.web.forms import Form, at_most, required

blueprint = Blueprint("guardians", __name__)


class GuardianForm(Form):
    email = wtforms.StringField(_l("E-mail"), [required(), at_most(254)])
    name = wtforms.StringField(_l("Name"), [at_most(200)])


@blueprint.get("/patients/<row_id:patient_id>/guardians")
def index(patient_id: int) -> ResponseReturnValue:
    """The accounts that see this record, and the form for one more."""
    return _page(patient_id, GuardianForm())


@blueprint.post("/patients/<row_id:patient_id>/guardians")
def link(patient_id: int) -> ResponseReturnValue:
    """Let an address look after the patient; a new one becomes an account, which is then invited."""
    form = GuardianForm(request.form)
    if not form.validate():
        return _page(patient_id, form), 422
    try:
        with context.transaction() as session:
            email, name = form.email.data or "", form.name.data or ""
            wait = context.wiring().settings.privacy.new_guardian_hours
            _user, is_new = guardians.link(
                session, context.actor(), patient_id, email=email, name=name, wait_hours=wait
            )
    except Invalid as error:
        form.refuse(error)
        return _page(patient_id, form), 422
    notices.say("account_made" if is_new else "guardian_linked")
    return redirect(url_for("guardians.index", patient_id=patient_id), 303)


@blueprint.post("/patients/<row_id:patient_id>/guardians/<row_id:user_id>/removal")
def unlink(patient_id: int, user_id: int) -> ResponseReturnValue:
    """This account sees the record no more."""
    with context.transaction() as session:
        guardians.unlink(session, context.actor(), patient_id, user_id=user_id)
    notices.say("guardian_removed")
    return redirect(url_for("guardians.index", patient_id=patient_id), 303)


def _page(patient_id: int, form: GuardianForm) -> str:
    actor, session = context.actor(), context.reading()
    patient = patients.fetch(session, actor, patient_id)
    found = guardians.of_patient(session, actor, patient_id)
    return render_template(
        "patients/guardians.html",
        patient=patient,
        guardians=found,
        form=form,
        wait_hours=context.wiring().settings.privacy.new_guardian_hours,
        inviting=tellings.invited(),
    )
