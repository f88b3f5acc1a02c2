"""Appointments: a patient's list, and the page of one appointment."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.accounts import own_account
from service.domain.appointments import appointments, possible, timeline, treatments
from service.domain.appointments.possible import Act
from service.domain.foundation.actor import Role
from service.domain.messages import decisions
from service.domain.messages.notifications import Notification
from service.domain.patients import patients
from service.http import context
from service.storage.models import Appointment
from service.web import notices, tellings
from service.web.appointments.visits import visit, visits

blueprint = Blueprint("appointments", __name__)


@blueprint.get("/appointments")
def index() -> ResponseReturnValue:
    """Show my appointments, or redirect staff to the day."""
    actor = context.actor()
    if actor.role != Role.PATIENT:
        return redirect(url_for("today.board"), 303)
    session = context.reading()
    ahead = visits(appointments.upcoming(session, actor), actor)
    page = appointments.past(session, actor, before=request.args.get("before"))
    return render_template(
        "appointments/list.html",
        greeted=own_account.greeted(session, actor),
        next_visit=ahead[0] if ahead else None,
        upcoming=ahead[1:],
        past=visits(page.visits, actor),
        older_url=url_for("appointments.index", before=page.older) if page.older else None,
        several=len(actor.patient_ids) > 1,
    )


@blueprint.get("/appointments/<row_id:appointment_id>")
def show(appointment_id: int) -> ResponseReturnValue:
    """Show one appointment, with its treatment for those who may read it."""
    return page(appointment_id)


def page(appointment_id: int, refusal: str = "") -> str:
    """Show one appointment; `refusal` says why an undo was refused, and lets staff overbook instead."""
    actor, session = context.actor(), context.reading()
    row = appointments.fetch(session, actor, appointment_id)
    treatment = treatments.of_visit(session, actor, row)
    opens_at = patients.clinical_from(session, actor, row.patient_id)
    if actor.is_staff or treatment is not None:
        with context.transaction_if_possible("appointment.view") as writing:
            treatments.note_opened(writing, actor, row, with_treatment=treatment is not None)
        session = context.reading()  # adding the audit entry ended the previous session
    shown = visit(row, actor)
    record = url_for("patients.record", patient_id=row.patient_id) if actor.role == Role.DOCTOR else None
    return render_template(
        "appointments/show.html",
        visit=shown,
        refusal=refusal,
        treatment=treatment,
        clinical_from=opens_at,
        may_see_clinical=actor.role in (Role.DOCTOR, Role.PATIENT),
        may_record=possible.may_record(actor, row),
        record_url=record,
        decisions=decisions.of_visit(session, row, context.wiring().settings) if actor.is_staff else [],
        may_see_addresses=actor.role in (Role.ADMIN, Role.RECEPTIONIST),
        events=timeline.of_visit(session, row),
        treatment_saved=notices.shown("treatment_saved"),
        cancelling=_cancelling(row) if Act.CANCEL in shown.may and possible.is_ahead(row) else None,
        too_late=actor.role == Role.PATIENT and possible.is_ahead(row),
    )


def _cancelling(row: Appointment) -> Notification:
    """Say who will be notified of a cancellation; one by the patient is announced once it can't be undone anymore."""
    own = context.actor().role == Role.PATIENT
    return tellings.before("visit_cancelled", row.patient_id, due_at=clock.now() + possible.UNDO_FOR if own else None)
