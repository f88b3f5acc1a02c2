"""Treatments: a patient's own history, and the form in which a doctor records one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import Optional

from service.domain.appointments import treatments
from service.domain.appointments.treatments import Findings
from service.domain.exports import exports
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.patients import patients
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.storage.models import Patient, Treatment
from service.web import notices
from service.web.appointments.visits import visit
from service.web.date_fields import DayField
from service.web.forms import Form, at_most

blueprint = Blueprint("treatments", __name__)


class TreatmentForm(Form):
    visit_type = wtforms.StringField(_l("Appointment type"), [at_most(treatments.LONGEST_TYPE)])
    symptoms = wtforms.TextAreaField(_l("Symptoms"), [at_most(treatments.LONGEST_TEXT)])
    diagnosis = wtforms.TextAreaField(_l("Diagnosis"), [at_most(treatments.LONGEST_TEXT)])
    treatment = wtforms.TextAreaField(_l("Treatment"), [at_most(treatments.LONGEST_TEXT)])
    prescription = wtforms.TextAreaField(_l("Prescription"), [at_most(treatments.LONGEST_TEXT)])
    notes = wtforms.TextAreaField(_l("Notes"), [at_most(treatments.LONGEST_TEXT)])
    next_visit = DayField(_l("Next appointment"), [Optional()])
    version = wtforms.IntegerField(validators=[Optional()], widget=wtforms.widgets.HiddenInput())


@dataclass(frozen=True)
class Entry:
    """A treatment, as shown in a history."""

    id: int
    starts_at: datetime
    doctor_name: str
    visit_type: str
    symptoms: str
    diagnosis: str
    treatment: str
    prescription: str
    notes: str
    next_visit: date | None
    appointment_id: int


def entries(rows: Sequence[Treatment]) -> list[Entry]:
    """Return the entries of a history, with the names from their appointments."""
    return [
        Entry(
            id=row.id,
            starts_at=row.appointment.starts_at,
            doctor_name=row.appointment.doctor.name,
            visit_type=row.visit_type,
            symptoms=row.symptoms,
            diagnosis=row.diagnosis,
            treatment=row.treatment,
            prescription=row.prescription,
            notes=row.notes,
            next_visit=row.next_visit,
            appointment_id=row.appointment_id,
        )
        for row in rows
    ]


@blueprint.get("/treatments")
def history() -> ResponseReturnValue:
    """Show my history, with a button that exports all of it."""
    actor, session = context.actor(), context.reading()
    mine = patients.in_care_of(session, actor)
    chosen = asked_patient(mine)
    opens_at = patients.clinical_from(session, actor, chosen)
    if opens_at is not None:
        return render_template(
            "appointments/treatments/closed.html",
            patients=mine,
            chosen=next(patient for patient in mine if patient.id == chosen),
            opens_at=opens_at,
        )
    page = treatments.history(session, actor, chosen, before=request.args.get("before"))
    older = url_for("treatments.history", patient_id=chosen, before=page.older) if page.older else None
    answer = render_template(
        "appointments/treatments/history.html",
        patients=mine,
        chosen=next(patient for patient in mine if patient.id == chosen),
        treatments=entries(page.treatments),
        older_url=older,
        exports=[
            {
                "id": row.id,
                "status": exports.state(row),
                "revoked_at": row.revoked_at,
                "created_at": row.created_at,
            }
            for row in exports.latest(session, actor, chosen)
        ],
    )
    with context.transaction_if_possible("patient.history") as writing:
        patients.note_record_opened(writing, actor, chosen)
    return answer


@blueprint.get("/appointments/<row_id:appointment_id>/treatment")
def edit(appointment_id: int) -> ResponseReturnValue:
    """Show the form, with the treatment recorded so far."""
    actor, session = context.actor(), context.reading()
    row = treatments.to_record(session, actor, appointment_id)
    present = treatments.of_visit(session, actor, row)
    form = TreatmentForm(obj=present) if present else TreatmentForm(version=0)
    return render_template("appointments/treatments/form.html", form=form, visit=visit(row, actor), conflict=None)


@blueprint.post("/appointments/<row_id:appointment_id>/treatment")
def save(appointment_id: int) -> ResponseReturnValue:
    """Record or replace the treatment; if it's refused, the form keeps what was typed."""
    actor, form = context.actor(), TreatmentForm(request.form)
    row = treatments.to_record(context.reading(), actor, appointment_id)
    shown, present, status = visit(row, actor), None, 422
    if form.validate():
        try:
            with context.transaction() as session:
                treatments.record(
                    session,
                    actor,
                    appointment_id,
                    _findings(form),
                    context.wiring().settings.clinic.zone,
                    version=form.version.data,
                )
            notices.say("treatment_saved")
            return redirect(url_for("appointments.show", appointment_id=appointment_id), 303)
        except Invalid as error:
            form.refuse(error)
        except Conflict:
            row = treatments.to_record(
                context.reading(), actor, appointment_id
            )  # raises again, unless the form was stale
            present, status = treatments.of_visit(context.reading(), actor, row), 409
            form.version.raw_data = [str(present.version if present else 0)]
    return render_template("appointments/treatments/form.html", form=form, visit=shown, conflict=present), status


def _findings(form: TreatmentForm) -> Findings:
    return Findings(
        **{name: form[name].data or "" for name in treatments.TEXTS}, next_visit=form.next_visit.data or None
    )


def asked_patient(mine: Sequence[Patient]) -> int:
    """Return the id of the requested patient, or of the first one the user manages."""
    asked = request.args.get("patient_id")
    for patient in mine:
        if asked is None or asked == str(patient.id):
            return patient.id
    raise NotFound
