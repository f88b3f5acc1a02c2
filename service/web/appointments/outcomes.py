"""What happens to an appointment after booking: check-in, completion, no-show, cancellation, undo."""

from collections.abc import Callable
from functools import partial

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf

from service.domain.appointments import booking, outcomes
from service.domain.appointments.admission import Taken
from service.domain.foundation.errors import Invalid
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import CancelledBy
from service.web import notices
from service.web.appointments import appointments
from service.web.appointments.visits import visits
from service.web.forms import Form, at_most

blueprint = Blueprint("outcomes", __name__)
BACK = {"today": "today.board", "to-complete": "outcomes.to_complete"}
"""The pages with one-tap forms, to which these forms return."""


class TapForm(Form):
    """A button with nothing to fill in; it only carries the page to return to."""

    back = wtforms.HiddenField()
    doctor_id = wtforms.HiddenField()


class UndoForm(TapForm):
    overbooking_reason = wtforms.StringField(_l("Reason for overbooking"), [at_most(booking.LONGEST_REASON)])


class CancellationForm(TapForm):
    reason = wtforms.StringField(_l("Reason"), [at_most(booking.LONGEST_REASON)])


class DeskCancellationForm(CancellationForm):
    """Staff also choose who is canceling."""

    by = wtforms.StringField(
        _l("Who is canceling?"),
        [AnyOf(list(CancelledBy), message=_l("Choose who is canceling: the patient or the clinic."))],
        default=CancelledBy.PATIENT,
    )


@blueprint.post("/appointments/<row_id:appointment_id>/confirmation")
def confirm(appointment_id: int) -> ResponseReturnValue:
    """Confirm the appointment."""
    return _tap(appointment_id, outcomes.confirm, "visit_confirmed")


@blueprint.post("/appointments/<row_id:appointment_id>/arrival")
def arrive(appointment_id: int) -> ResponseReturnValue:
    """Check the patient in."""
    return _tap(appointment_id, partial(outcomes.arrive, zone=context.wiring().settings.clinic.zone), "visit_arrived")


@blueprint.post("/appointments/<row_id:appointment_id>/completion")
def complete(appointment_id: int) -> ResponseReturnValue:
    """Mark the appointment completed."""
    return _tap(appointment_id, outcomes.complete, "visit_completed")


@blueprint.post("/appointments/<row_id:appointment_id>/no-show")
def no_show(appointment_id: int) -> ResponseReturnValue:
    """Mark the patient as a no-show."""
    return _tap(appointment_id, outcomes.no_show, "visit_missed")


@blueprint.post("/appointments/<row_id:appointment_id>/cancellation")
def cancel(appointment_id: int) -> ResponseReturnValue:
    """Cancel the appointment."""
    form = (DeskCancellationForm if context.actor().is_staff else CancellationForm)(request.form)
    if not form.validate():
        raise Invalid(" ".join(sentence for sentences in form.errors.values() for sentence in sentences))
    rules = context.wiring().settings.booking
    by = CancelledBy(str(form.by.data)) if isinstance(form, DeskCancellationForm) else CancelledBy.PATIENT
    act = partial(outcomes.cancel, reason=form.reason.data or "", rules=rules, by=by)
    return _act(form, appointment_id, act, "visit_cancelled")


@blueprint.post("/appointments/<row_id:appointment_id>/undo")
def undo(appointment_id: int) -> ResponseReturnValue:
    """Undo the last change of status; if the slot was taken meanwhile, staff can overbook it."""
    form = UndoForm(request.form)
    if not form.validate():
        raise Invalid(_("Enter a reason of at most 200 characters."))
    act = partial(
        outcomes.undo, settings=context.wiring().settings, overbooking_reason=form.overbooking_reason.data or ""
    )
    try:
        return _act(form, appointment_id, act, "visit_undone")
    except Taken as error:
        return appointments.page(appointment_id, refusal=str(error)), 409


@blueprint.get("/to-complete")
def to_complete() -> ResponseReturnValue:
    """Show past appointments without an outcome."""
    actor, session = context.actor(), context.reading()
    zone = context.wiring().settings.clinic.zone
    rows = outcomes.to_complete(session, actor, zone)
    count = len(rows) if len(rows) < outcomes.TO_COMPLETE_LIMIT else outcomes.count_to_complete(session, actor, zone)
    return render_template("appointments/to_complete.html", visits=visits(rows, actor), count=count)


def _tap(appointment_id: int, act: Callable[..., None], notice: str) -> ResponseReturnValue:
    form = TapForm(request.form)
    if not form.validate():
        raise Invalid(_("This form was sent with a field it doesn't have."))
    return _act(form, appointment_id, act, notice)


def _act(form: TapForm, appointment_id: int, act: Callable[..., None], notice: str) -> ResponseReturnValue:
    with context.transaction() as session:
        act(session, context.actor(), appointment_id)
    notices.say(notice)
    if form.back.data in BACK:
        return redirect(url_for(BACK[form.back.data], doctor_id=form.doctor_id.data or None), 303)
    return redirect(url_for("appointments.show", appointment_id=appointment_id), 303)
