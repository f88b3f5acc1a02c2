"""The list of patients, and each patient's page."""

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.accounts import doubtful_addresses, guardians
from service.domain.appointments import appointments, treatments
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import NotFound
from service.domain.patients import consent, emergency_access, patient_records, patient_search, patients
from service.domain.patients.details import PatientDetails
from service.http import context
from service.storage.models import Patient
from service.web import notices
from service.web.appointments.treatments import entries
from service.web.appointments.visits import visits
from service.web.patients import shared_email
from service.web.patients.consent import form_of

blueprint = Blueprint("patients", __name__)

LAST_VISITS = 5


def asked_id(name: str) -> int | None:
    """Return the id in a query parameter, if any. Raises NotFound for an impossible id."""
    text = request.args.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) < 2**63):
        raise NotFound
    return int(text)


@blueprint.get("/patients")
def index() -> ResponseReturnValue:
    """Show the patients that match `?q=`; without it, unconfirmed and recent ones."""
    actor, session, text = context.actor(), context.reading(), request.args.get("q", "").strip()
    if text:
        found = patient_search.search(session, actor, text, context.formats().order, after=asked_id("after"))
        more = url_for("patients.index", q=text, after=found.after) if found.after else None
        return render_template(
            "patients/list.html", q=text, patients=found.patients, more_url=more, waiting=[], opened=[], doubtful=0
        )
    return render_template(
        "patients/list.html",
        q="",
        patients=patient_search.latest(session, actor),
        more_url=None,
        waiting=patient_search.to_confirm(session, actor),
        doubtful=doubtful_addresses.count(session, actor),
        opened=emergency_access.current(session, actor),
    )


@blueprint.get("/patients/<row_id:patient_id>")
def record(patient_id: int) -> ResponseReturnValue:
    """Show the clinical record to doctors and the contact page to others. A merged record redirects to the kept one."""
    actor, session = context.actor(), context.reading()
    kept = patients.kept_instead(session, actor, patient_id)
    if kept is not None:
        return redirect(url_for("patients.record", patient_id=kept), 303)
    patient = patients.fetch(session, actor, patient_id)
    answer = _clinical(patient) if actor.role == Role.DOCTOR else _desk(patient)
    # A full disk must not keep a doctor from reading. In that case, only the log records the access.
    with context.transaction_if_possible("patient.view") as writing:
        patients.note_record_opened(writing, actor, patient_id)
    return answer


@blueprint.post("/patients/<row_id:patient_id>/archival")
def archive(patient_id: int) -> ResponseReturnValue:
    """Archive the record."""
    with context.transaction() as session:
        patient_records.archive(session, context.actor(), patient_id)
    return _back(patient_id, "patient_archived")


@blueprint.post("/patients/<row_id:patient_id>/restoration")
def restore(patient_id: int) -> ResponseReturnValue:
    """Restore an archived record."""
    with context.transaction() as session:
        patient_records.restore(session, context.actor(), patient_id)
    return _back(patient_id, "patient_restored")


@blueprint.post("/patients/<row_id:patient_id>/confirmation")
def confirm(patient_id: int) -> ResponseReturnValue:
    """Confirm a patient who registered online."""
    with context.transaction() as session:
        patient_records.confirm(session, context.actor(), patient_id)
    return _back(patient_id, "patient_confirmed")


@blueprint.post("/patients/<row_id:patient_id>/prints")
def note_print(patient_id: int) -> ResponseReturnValue:
    """Record that the record is being printed; only the browser can tell."""
    with context.transaction() as session:
        patients.note_record_printed(session, context.actor(), patient_id)
    return "", 204


def _back(patient_id: int, notice: str) -> ResponseReturnValue:
    notices.say(notice)
    return redirect(url_for("patients.record", patient_id=patient_id), 303)


def _clinical(patient: Patient) -> str:
    """Show chart alerts, upcoming appointments, and treatments."""
    actor, session, patient_id = context.actor(), context.reading(), patient.id
    page = treatments.history(session, actor, patient_id, before=request.args.get("before"))
    older = url_for("patients.record", patient_id=patient_id, before=page.older) if page.older else None
    last = appointments.past(session, actor, patient_id=patient_id).visits[:LAST_VISITS]
    return render_template(
        "patients/record.html",
        patient=patient,
        changed=shared_email.changed(patient.email_key),
        upcoming=visits(appointments.upcoming(session, actor, patient_id), actor),
        last_visits=visits(last, actor),
        treatments=entries(page.treatments),
        older_url=older,
        emergency_until=patients.emergency_until(session, actor, patient_id),
    )


def _desk(patient: Patient) -> str:
    """Show contact details, appointments, and accounts with access, without clinical texts."""
    actor, session = context.actor(), context.reading()
    page = appointments.past(session, actor, patient_id=patient.id, before=request.args.get("before"))
    likely: Sequence[Patient] = []
    if patient.registered_at is not None:
        likely = patient_search.likely_duplicates(session, actor, PatientDetails.of(patient), except_id=patient.id)
    return render_template(
        "patients/desk.html",
        patient=patient,
        changed=shared_email.changed(patient.email_key),
        upcoming=visits(appointments.upcoming(session, actor, patient.id), actor),
        past=visits(page.visits, actor),
        older_url=url_for("patients.record", patient_id=patient.id, before=page.older) if page.older else None,
        guardians=guardians.of_patient(session, actor, patient.id),
        likely=likely,
        consent_form=form_of(patient),
        consent_changes=consent.history(session, actor, patient.id),
    )
