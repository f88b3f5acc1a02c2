"""Patients: search, show, add, change."""

from flask import Blueprint, url_for

from service.api import contract, cursors
from service.api.contract import Answer
from service.api.patients.bodies import NewPatient, Patient, PatientChange, PatientQuery, Patients
from service.domain.accounts.api_tokens import Scope
from service.domain.foundation.actor import Role
from service.domain.patients import patient_records, patient_search, patients
from service.domain.patients.details import PatientDetails
from service.domain.patients.patient_search import Found
from service.http import bearers, context
from service.storage.models import Patient as Row

blueprint = Blueprint("patients", __name__, url_prefix="/patients")


@blueprint.get("")
@contract.reads(Patients, query=PatientQuery, problems=(404,))
def index(query: PatientQuery) -> Answer:
    """Find patients the user can see, 25 at a time. A patient's user gets the patients they are a guardian of."""
    actor, session = bearers.actor(), context.reading()
    if query.q:
        found = patient_search.search(
            session, actor, query.q, context.formats().order, after=cursors.id_of(query.after)
        )
    elif actor.role == Role.PATIENT:
        found = Found(patients.in_care_of(session, actor), None)
    else:
        found = Found(patient_search.latest(session, actor), None)
    return Answer(Patients(items=[_shown(row) for row in found.patients], next=cursors.of(found.after)))


@blueprint.post("")
@contract.changes(Patient, status=201, body=NewPatient)
def create(body: NewPatient) -> Answer:
    """Add a patient. If they may already have a record (409), send `confirm` to add them anyway."""
    row = patient_records.add(context.writing(), bearers.actor(), _details(body), sure=body.confirm)
    return Answer(_shown(row), 201, url_for("api.patients.show", patient_id=row.id))


@blueprint.get("/<row_id:patient_id>")
@contract.reads(Patient)
def show(patient_id: int) -> Answer:
    """Show one patient. This access is recorded."""
    actor = bearers.actor()
    answer = Answer(_shown(patients.fetch(context.reading(), actor, patient_id)))
    if actor.is_staff:
        with context.transaction_if_possible("patient.view") as session:
            patients.note_record_opened(session, actor, patient_id)
    return answer


@blueprint.put("/<row_id:patient_id>")
@contract.changes(Patient, body=PatientChange)
def change(patient_id: int, body: PatientChange) -> Answer:
    """Change a patient's name, birth date, or contact details."""
    session, actor = context.writing(), bearers.actor()
    patient_records.change(session, actor, patient_id, _details(body), version=body.version)
    session.flush()
    return Answer(_shown(patients.fetch(session, actor, patient_id)))


def _details(body: NewPatient | PatientChange) -> PatientDetails:
    clinic = context.wiring().settings.clinic
    return PatientDetails.checked(body.name, body.birth_date, body.phone, body.email, clinic, body.given_name)


def _shown(row: Row) -> Patient:
    """Return the record, with allergies and alerts only for doctors with the clinical scope."""
    caller, shown = bearers.caller(), Patient.model_validate(row)
    if caller.actor.role == Role.DOCTOR and Scope.CLINICAL in caller.scopes:
        return shown
    return shown.model_copy(update={"allergies": None, "alerts": None})
