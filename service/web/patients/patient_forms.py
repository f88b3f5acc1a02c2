"""The forms of a patient's record: added by reception, changed by staff, with alerts from doctors."""

from collections.abc import Sequence
from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import Optional

from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.patients import patient_records, patient_search, patients, shared_email
from service.domain.patients.details import PatientDetails
from service.domain.patients.patient_records import PossibleDuplicate, Stale
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import Patient
from service.web import notices
from service.web.date_fields import BirthDateField
from service.web.forms import Form, at_most, required
from service.web.patients.shared_email import SharedEmailForm

blueprint = Blueprint("patient_forms", __name__)


class PatientForm(Form):
    name = wtforms.StringField(_l("Name"), [required(), at_most(200)])
    given_name = wtforms.StringField(_l("Given name"), [at_most(200)])
    birth_date = BirthDateField(_l("Birth date"), [Optional()])
    phone = wtforms.StringField(_l("Phone"), [at_most(50)])
    email = wtforms.StringField(_l("E-mail"), [at_most(254)])

    def details(self) -> PatientDetails:
        """Return the checked fields. Raises Invalid."""
        return PatientDetails.checked(
            self.name.data or "",
            self.birth_date.data,
            self.phone.data or "",
            self.email.data or "",
            context.wiring().settings.clinic,
            self.given_name.data or "",
        )


class NewPatientForm(PatientForm):
    confirm = wtforms.BooleanField(_l("This is someone else: add a new patient"))


class VersionedPatientForm(SharedEmailForm, PatientForm):
    version = wtforms.IntegerField(validators=[required()], widget=wtforms.widgets.HiddenInput())


class AlertsForm(Form):
    allergies = wtforms.TextAreaField(_l("Allergies"), [at_most(patient_records.LONGEST_ALERT)])
    alerts = wtforms.TextAreaField(_l("Alerts"), [at_most(patient_records.LONGEST_ALERT)])
    version = wtforms.IntegerField(validators=[required()], widget=wtforms.widgets.HiddenInput())


@blueprint.get("/patients/new")
def new() -> ResponseReturnValue:
    """Show the form for a new patient."""
    return render_template("patients/new.html", form=NewPatientForm(), likely=[])


@blueprint.post("/patients/new")
def create() -> ResponseReturnValue:
    """Add the patient. If they may already have a record, ask for confirmation first."""
    actor, form = context.actor(), NewPatientForm(request.form)
    likely: Sequence[Patient] = []
    if form.validate():
        try:
            details = form.details()
            with context.transaction() as session:
                patient_id = patient_records.add(session, actor, details, sure=form.confirm.data).id
            notices.say("patient_added")
            return redirect(url_for("patients.record", patient_id=patient_id), 303)
        except Invalid as error:
            form.refuse(error)
        except PossibleDuplicate:
            likely = patient_search.likely_duplicates(context.reading(), actor, details)
    return render_template("patients/new.html", form=form, likely=likely), 409 if likely else 422


@blueprint.get("/patients/<row_id:patient_id>/edit")
def edit(patient_id: int) -> ResponseReturnValue:
    """Show the form with the stored values."""
    return _page(_to_edit(patient_id))


@blueprint.post("/patients/<row_id:patient_id>/edit")
def save(patient_id: int) -> ResponseReturnValue:
    """Save the record. If someone else changed it meanwhile, show both versions and overwrite nothing."""
    patient, form = _to_edit(patient_id), VersionedPatientForm(request.form)
    if not form.validate():
        return _page(patient, form=form), 422
    try:
        details, version = form.details(), form.version.data or 0
        with context.transaction() as session:
            actor, also = context.actor(), form.chosen() or []
            changed = patient_records.change(session, actor, patient_id, details, version=version, also=also)
    except Invalid as error:
        form.refuse(error)
        return _page(patient, form=form), 422
    except Stale:
        return _stale(patient_id, form), 409
    notices.say("patient_saved")
    return redirect(url_for("patients.record", patient_id=patient_id, changed=changed), 303)


@blueprint.post("/patients/<row_id:patient_id>/alerts")
def save_alerts(patient_id: int) -> ResponseReturnValue:
    """Save the allergies and alerts of a patient."""
    patient, form = _to_edit(patient_id), AlertsForm(request.form)
    if not form.validate():
        return _page(patient, alerts=form), 422
    try:
        with context.transaction() as session:
            patient_records.set_alerts(
                session,
                context.actor(),
                patient_id,
                allergies=form.allergies.data or "",
                alerts=form.alerts.data or "",
                version=form.version.data or 0,
            )
    except Invalid as error:
        form.refuse(error)
        return _page(patient, alerts=form), 422
    except Stale:
        return _stale(patient_id, form), 409
    notices.say("alerts_saved")
    return redirect(url_for("patients.record", patient_id=patient_id), 303)


def _to_edit(patient_id: int) -> Patient:
    """Return the stored patient. Raises NotFound, and Conflict for a merged record."""
    patient = patients.fetch(context.reading(), context.actor(), patient_id)
    if patient.merged_into_id is not None:
        raise Conflict(_("This record was merged into another one. Open that one."))
    return patient


def _stale(patient_id: int, form: VersionedPatientForm | AlertsForm) -> str:
    """Show the user's version in the form beside the saved one. Saving again replaces the saved one."""
    patient = _to_edit(patient_id)
    form.version.raw_data = [str(patient.version)]
    if isinstance(form, AlertsForm):
        return _page(patient, alerts=form, stale=form)
    return _page(patient, form=form, stale=form)


def _page(
    patient: Patient,
    *,
    form: VersionedPatientForm | None = None,
    alerts: AlertsForm | None = None,
    stale: Form | None = None,
) -> str:
    values: dict[str, Any] = {"version": patient.version}
    contact: dict[str, Any] = {"name": patient.name, "birth_date": patient.birth_date, "email": patient.email or ""}
    contact["given_name"] = patient.given_name or ""
    contact["phone"] = context.formats().phone(patient.phone) if patient.phone else ""
    if alerts is None and context.actor().role == Role.DOCTOR:
        alerts = AlertsForm(allergies=patient.allergies, alerts=patient.alerts, **values)
    form = form or VersionedPatientForm(**contact, **values)
    form.offer(shared_email.sharing(context.reading(), context.actor(), patient.email_key, except_id=patient.id))
    return render_template(
        "patients/edit.html",
        patient=patient,
        form=form,
        alerts_form=alerts,
        stale=stale,
    )
