"""A patient's record, as their doctors read it."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import context
from service.domain import appointments, patients, treatments
from service.web.treatments import entries
from service.web.visits import visits

blueprint = Blueprint("patients", __name__)


@blueprint.get("/patients/<row_id:patient_id>")
def record(patient_id: int) -> ResponseReturnValue:
    """Who this is, what is ahead, what was found and done."""
    actor, session = context.actor(), context.reading()
    patient = patients.fetch_clinical(session, actor, patient_id)
    page = treatments.history(session, actor, patient.id, before=request.args.get("before"))
    older = url_for("patients.record", patient_id=patient.id, before=page.older) if page.older else None
    answer = render_template(
        "patients/record.html",
        patient=patient,
        upcoming=visits(appointments.upcoming(session, actor, patient.id), actor),
        treatments=entries(page.treatments),
        older_url=older,
    )
    # A full disk must not keep a doctor from reading: then only the log knows of the look.
    with context.transaction_if_possible("patient.view") as writing:
        patients.note_record_opened(writing, actor, patient_id)
    return answer
