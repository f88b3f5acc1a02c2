"""The earlier versions of a record."""

from typing import Any

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.patients import patients
from service.domain.privacy import record_changes
from service.http import context
from service.web.local_times import row_id_of
from service.web.privacy import audit_words

blueprint = Blueprint("record_changes", __name__)


@blueprint.get("/patients/<row_id:patient_id>/changes")
def index(patient_id: int) -> ResponseReturnValue:
    """Each correction with the text before and after."""
    actor, session = context.actor(), context.reading()
    changes = record_changes.of_patient(session, actor, patient_id)
    patient = patients.fetch(session, actor, patient_id)
    answer = render_template("patients/changes.html", patient=patient, changes=[_shown(change) for change in changes])
    with context.transaction_if_possible("patient.changes") as writing:
        record_changes.note_read(writing, actor, patient_id)
    return answer


def _shown(change: record_changes.Change) -> dict[str, Any]:
    kind, _sep, number = (change.subject or "").partition("/")
    visit = row_id_of(number) if kind == "appointment" else None
    return {
        "at": change.at,
        "person": change.person,
        "words": audit_words.act(change.act),
        "url": url_for("appointments.show", appointment_id=visit) if visit else None,
        "fields": [
            {"name": audit_words.field(name), "before": before, "after": after}
            for name, (before, after) in change.fields.items()
        ],
    }
