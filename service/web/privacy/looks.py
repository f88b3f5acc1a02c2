"""The page on which patients and guardians see who looked at a record."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.patients import patients
from service.domain.privacy import audit_log
from service.http import context
from service.web.appointments.treatments import asked_patient
from service.web.privacy import audit_words

blueprint = Blueprint("looks", __name__)


@blueprint.get("/who-looked")
def index() -> ResponseReturnValue:
    """What others did with my record (`?patient_id=` where there are several), newest first."""
    actor, session = context.actor(), context.reading()
    mine = patients.in_care_of(session, actor)
    patient_id = asked_patient(mine)
    rows, older = audit_log.looks(session, actor, patient_id, before=request.args.get("before"))
    return render_template(
        "privacy/audit/looks.html",
        patients=mine,
        chosen=next(patient for patient in mine if patient.id == patient_id),
        looks=[
            {
                "at": row.at,
                "name": row.name,
                "role": row.role,
                "words": audit_words.act(row.act, of_everybody=row.patient_id is None),
            }
            for row in rows
        ],
        older_url=url_for("looks.index", patient_id=patient_id, before=older) if older else None,
    )
