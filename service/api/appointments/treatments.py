"""Treatments: that of an appointment, and a patient's history."""

from flask import Blueprint

from service.api import contract
from service.api.appointments.bodies import PatientOf, Treatment, Treatments, TreatmentTexts
from service.api.contract import Answer
from service.api.patients.own_patient import patient_meant
from service.domain.appointments import appointments, treatments
from service.domain.appointments.treatments import Findings
from service.domain.foundation.errors import NotFound
from service.domain.patients import patients
from service.http import bearers, context

blueprint = Blueprint("treatments", __name__)


@blueprint.get("/treatments")
@contract.reads(Treatments, query=PatientOf, problems=(404,))
def index(query: PatientOf) -> Answer:
    """List a patient's treatments, newest first. This is logged."""
    actor = bearers.actor()
    patient_id = patient_meant(actor, query.patient_id)
    page = treatments.history(context.reading(), actor, patient_id, before=query.after)
    answer = Answer(Treatments(items=[Treatment.model_validate(row) for row in page.treatments], next=page.older))
    with context.transaction_if_possible("patient.view") as session:
        patients.note_record_opened(session, actor, patient_id)
    return answer


@blueprint.get("/appointments/<row_id:appointment_id>/treatment")
@contract.reads(Treatment)
def show(appointment_id: int) -> Answer:
    """Show the treatment of an appointment. This is logged."""
    actor, session = bearers.actor(), context.reading()
    visit = appointments.fetch(session, actor, appointment_id)
    row = treatments.of_visit(session, actor, visit)
    if row is None:
        raise NotFound
    answer = Answer(Treatment.model_validate(row))
    with context.transaction_if_possible("treatment.view") as writing:
        treatments.note_opened(writing, actor, visit)
    return answer


@blueprint.put("/appointments/<row_id:appointment_id>/treatment")
@contract.changes(Treatment, body=TreatmentTexts)
def save(appointment_id: int, body: TreatmentTexts) -> Answer:
    """Record or replace the treatment of an appointment that has started, and mark it completed.

    Only the doctor of the appointment can do this.
    """
    session = context.writing()
    row = treatments.record(
        session,
        bearers.actor(),
        appointment_id,
        Findings(**{name: getattr(body, name) for name in treatments.TEXTS}, next_visit=body.next_visit),
        context.wiring().settings.clinic.zone,
        version=body.version,
    )
    session.flush()
    return Answer(Treatment.model_validate(row))
