"""The page of appointments that time off affects: reschedule each, cancel it, or send its patient new times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.appointments import booking, outcomes
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.requests import MoveRequest
from service.domain.diary import affected_appointments, doctors, time_off
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.messages import notifications
from service.domain.messages.notifications import Notification
from service.http import context
from service.language import catalogs
from service.language.translation import gettext as _
from service.language.translation import speaking
from service.storage.models import CancelledBy, HoursException
from service.web import notices, tellings
from service.web.appointments.visits import Visit, visit
from service.web.forms import Form
from service.web.local_times import instant_of, row_id_of, valid_row_id, written

blueprint = Blueprint("affected_appointments", __name__)


class ActForm(Form):
    """One button: which appointment it is about, and whose slots the page shows next."""

    appointment_id = wtforms.HiddenField()
    any_doctor = wtforms.HiddenField()


class MoveForm(ActForm):
    starts_at = wtforms.HiddenField()
    doctor_id = wtforms.HiddenField()


class ProposalForm(Form):
    time_off_id = wtforms.HiddenField()
    any_doctor = wtforms.HiddenField()


@dataclass(frozen=True)
class Choice:
    """A slot as a button: what it sends and shows; with the doctor's name if it is a different doctor."""

    value: str
    starts_at: datetime
    doctor_id: int
    doctor_name: str | None


@dataclass(frozen=True)
class AffectedAppointment:
    """An affected appointment and the slots it can be moved to."""

    visit: Visit
    times: Sequence[Choice]
    telling: Notification | None
    """The people notified by any action on it; None once the appointment has started."""
    proposal: Notification | None = None
    """The people notified of the suggested times."""


@blueprint.get("/time-off/<row_id:exception_id>")
def show(exception_id: int) -> ResponseReturnValue:
    """Show the appointments left to rebook, each with its three nearest slots (`?any_doctor=1`: of the department)."""
    return _page(exception_id, any_doctor=request.args.get("any_doctor") == "1")


@blueprint.post("/time-off/<row_id:exception_id>/moves")
def move(exception_id: int) -> ResponseReturnValue:
    """Reschedule an appointment and return to the page; if the slot was just taken, it shows those free now."""
    actor, settings, form = context.actor(), context.wiring().settings, MoveForm(request.form)
    time_off.fetch(context.reading(), actor, exception_id)
    any_doctor = form.any_doctor.data == "1"
    if not form.validate():
        return _page(exception_id, any_doctor=any_doctor, refusal=" ".join(form.form_errors)), 422
    try:
        visit_id, doctor_id = valid_row_id(form.appointment_id.data), valid_row_id(form.doctor_id.data)
        wanted = MoveRequest(instant_of(form.starts_at.data or ""), [doctor_id])
        with context.transaction() as session:
            booking.reschedule(session, actor, visit_id, wanted, settings.booking, settings.clinic.zone)
    except (Invalid, Conflict) as error:
        status = 422 if isinstance(error, Invalid) else 409
        return _page(exception_id, any_doctor=any_doctor, refusal=str(error)), status
    notices.say("visit_moved")
    return _back(exception_id, form.any_doctor.data)


@blueprint.post("/time-off/<row_id:exception_id>/cancellations")
def cancel(exception_id: int) -> ResponseReturnValue:
    """Cancel an appointment on behalf of the clinic and return to the page."""
    actor, settings, form = context.actor(), context.wiring().settings, ActForm(request.form)
    row = time_off.fetch(context.reading(), actor, exception_id)
    any_doctor = form.any_doctor.data == "1"
    if not form.validate():
        return _page(exception_id, any_doctor=any_doctor, refusal=" ".join(form.form_errors)), 422
    # Written once for everyone who reads it later, so not in the language of the person who cancels.
    with speaking(catalogs.spoken(settings.clinic.language, "diary")):
        reason = str(_("The clinic is closed") if row.doctor_id is None else _("The doctor is away"))
    try:
        with context.transaction() as session:
            visit_id = valid_row_id(form.appointment_id.data)
            outcomes.cancel(session, actor, visit_id, reason=reason, rules=settings.booking, by=CancelledBy.CLINIC)
    except Conflict as error:
        return _page(exception_id, any_doctor=any_doctor, refusal=str(error)), 409
    notices.say("visit_cancelled")
    return _back(exception_id, form.any_doctor.data)


@blueprint.post("/appointments/<row_id:appointment_id>/proposal")
def propose(appointment_id: int) -> ResponseReturnValue:
    """Queue a message with the three nearest slots for an appointment; repeating it suggests those nearest now."""
    actor, form = context.actor(), ProposalForm(request.form)
    if not form.validate():
        raise Invalid(" ".join(form.form_errors))
    zone, any_doctor = context.wiring().settings.clinic.zone, form.any_doctor.data == "1"
    with context.transaction() as session:
        affected_appointments.propose(session, actor, appointment_id, any_doctor=any_doctor, zone=zone)
    notices.say("visit_marked")
    return _back(row_id_of(form.time_off_id.data), form.any_doctor.data, appointment_id)


@blueprint.post("/appointments/<row_id:appointment_id>/proposal/removal")
def withdraw(appointment_id: int) -> ResponseReturnValue:
    """Withdraw the suggested times."""
    form = ProposalForm(request.form)
    if not form.validate():
        raise Invalid(" ".join(form.form_errors))
    with context.transaction() as session:
        affected_appointments.withdraw(session, context.actor(), appointment_id)
    notices.say("visit_unmarked")
    return _back(row_id_of(form.time_off_id.data), form.any_doctor.data, appointment_id)


def _back(exception_id: int | None, any_doctor: str | None, appointment_id: int | None = None) -> ResponseReturnValue:
    """Redirect to the page the button was on."""
    if exception_id is None:
        return redirect(url_for("appointments.show", appointment_id=appointment_id), 303)
    where = url_for(
        "affected_appointments.show", exception_id=exception_id, any_doctor="1" if any_doctor == "1" else None
    )
    return redirect(where, 303)


def _page(exception_id: int, *, any_doctor: bool, refusal: str = "") -> str:
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    row = time_off.fetch(session, actor, exception_id)
    affected = affected_appointments.of(session, actor, row, zone)
    times = affected_appointments.other_times(session, affected.still_open, zone, any_doctor=any_doctor)
    proposed = notifications.about(
        session, actor, "move_proposal", [one.visit for one in affected.marked], context.wiring().settings
    )
    names = {one.id: one.name for one in doctors.roster(session)}
    return render_template(
        "diary/time_off/affected.html",
        row=row,
        counts=affected.counts,
        still_open=[_affected(visit(one, actor), times[one.id], names) for one in affected.still_open],
        marked=[
            _affected(visit(one.visit, actor), one.times, names, proposed.get(one.visit.id)) for one in affected.marked
        ],
        done=[
            {"visit": visit(one.visit, actor), "successor": visit(one.successor, actor) if one.successor else None}
            for one in affected.done
        ],
        any_doctor=any_doctor,
        refusal=refusal,
        who=_who(row),
    )


def _affected(
    shown: Visit, times: Sequence[FreeTime], names: Mapping[int, str], proposal: Notification | None = None
) -> AffectedAppointment:
    return AffectedAppointment(
        shown,
        [
            Choice(
                written(one.starts_at),
                one.starts_at,
                one.doctor_id,
                None if one.doctor_id == shown.doctor_id else names.get(one.doctor_id, ""),
            )
            for one in times
        ],
        tellings.before("visit_moved", shown.patient_id) if shown.starts_at > clock.now() else None,
        proposal,
    )


def _who(row: HoursException) -> dict[str, Any]:
    """Return whose time off it is: a doctor's, or (None) the clinic's."""
    return {"doctor_id": row.doctor_id, "name": row.doctor.name if row.doctor else None}
