"""The page behind the link in a message about an appointment, without signing in.

Opening it changes nothing; its buttons confirm, cancel, undo, and reschedule.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.appointments import booking, outcomes, possible
from service.domain.appointments.admission import Taken
from service.domain.appointments.possible import Act
from service.domain.appointments.requests import MoveRequest
from service.domain.diary import affected_appointments
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.messages import message_links
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import Appointment, AppointmentStatus, LinkPurpose
from service.web.appointments.booking_choice import Offered, nearest, offers, to_move
from service.web.appointments.visits import Visit, visit
from service.web.date_fields import day_of_address
from service.web.forms import Form
from service.web.links import found
from service.web.local_times import day_of, instant_of, row_id_of, written

blueprint = Blueprint("visit_links", __name__)


class ActForm(Form):
    """One of the link's appointments."""

    appointment_id = wtforms.HiddenField()


class MoveForm(ActForm):
    starts_at = wtforms.StringField(_l("Date and time"))


@blueprint.get("/visit/<token:token>")
def show(token: str) -> ResponseReturnValue:
    """Show the appointments in the message as they are now, with the actions for each."""
    return _page(token)


@blueprint.post("/visit/<token:token>/confirmation")
def confirm(token: str) -> ResponseReturnValue:
    """Confirm the appointment."""
    return _act(token, outcomes.confirm)


@blueprint.post("/visit/<token:token>/cancellation")
def cancel(token: str) -> ResponseReturnValue:
    """Cancel the appointment and free its slot; patients can undo it for ten minutes."""
    return _act(token, partial(outcomes.cancel, reason="", rules=context.wiring().settings.booking))


@blueprint.post("/visit/<token:token>/undo")
def undo(token: str) -> ResponseReturnValue:
    """Undo the cancellation."""
    return _act(token, partial(outcomes.undo, settings=context.wiring().settings))


@blueprint.get("/visit/<token:token>/reschedule")
def times(token: str) -> ResponseReturnValue:
    """Show the slots to which one of the appointments can be rescheduled, day by day."""
    form = MoveForm(data={"appointment_id": request.args.get("appointment_id", "")})
    return _times_page(token, form, day_of_address())


@blueprint.post("/visit/<token:token>/reschedule")
def reschedule(token: str) -> ResponseReturnValue:
    """Reschedule the appointment."""
    form = MoveForm(request.form)
    row = _chosen(token, form)
    settings = context.wiring().settings
    if not form.validate():
        return _times_page(token, form), 422
    try:
        wanted = _wanted(row, instant_of(form.starts_at.data or ""))
        with context.counting() as session:
            message_links.attempt(session, token)
        with context.transaction() as session:
            link = message_links.to_act(session, token, LinkPurpose.VISIT)
            actor = message_links.actor(session, link, row.id, context.address())
            new = booking.reschedule(session, actor, row.id, wanted, settings.booking, settings.clinic.zone)
            message_links.keep_until(session, token, new.ends_at)
    except Invalid as error:
        form.refuse(error)
        return _times_page(token, form, day_of((form.starts_at.data or "")[:10])), 422
    except Taken as error:
        return _times_page(token, form, taken=str(error)), 409
    except Conflict as error:
        return _page(token, str(error)), 409
    return redirect(url_for("visit_links.show", token=token), 303)


def _wanted(row: Appointment, starts_at: datetime) -> MoveRequest:
    """Return the choice with the doctor of the proposed time, else the current one; patients can't choose here."""
    proposed = affected_appointments.proposed(context.reading(), row.id)
    return MoveRequest(starts_at, [time.doctor_id for time in proposed if time.starts_at == starts_at])


def _act(token: str, act: Callable[..., None]) -> ResponseReturnValue:
    form = ActForm(request.form)
    row = _chosen(token, form)
    if not form.validate():
        raise Invalid(_("This form was sent with a field it doesn't have."))
    with context.counting() as session:
        message_links.attempt(session, token)
    try:
        with context.transaction() as session:
            link = message_links.to_act(session, token, LinkPurpose.VISIT)
            act(session, message_links.actor(session, link, row.id, context.address()), row.id)
    except Conflict as error:
        return _page(token, str(error)), 409
    return redirect(url_for("visit_links.show", token=token), 303)


def _chosen(token: str, form: ActForm) -> Appointment:
    """Return the appointment a form is about, one of those the page showed; if there is only one, it needs no id.

    Raises NotFound, Gone.
    """
    link, session, asked = found(token, LinkPurpose.VISIT), context.reading(), form.appointment_id.data
    rows = message_links.visits(session, link)
    if not asked and len(rows) == 1:
        return rows[0]
    wanted = row_id_of(asked)
    if wanted is None:
        raise NotFound
    return message_links.visit(session, link, wanted)


def _page(token: str, refusal: str | None = None) -> str:
    link, session = found(token, LinkPurpose.VISIT), context.reading()
    rows = message_links.visits(session, link)
    return render_template(
        "appointments/visit_links/show.html",
        token=token,
        cards=[_card(row) for row in rows],
        several=len({row.patient_id for row in rows}) > 1,
        refusal=refusal,
    )


def _card(row: Appointment) -> dict[str, Any]:
    """Return one appointment with its buttons, and the proposed times that are still ahead."""
    shown = visit(row, _actor(row))
    ahead = possible.is_ahead(row)
    proposed = affected_appointments.proposed(context.reading(), row.id) if ahead else []
    return {
        "visit": shown,
        "may_move": Act.MOVE in shown.may,
        "may_cancel": Act.CANCEL in shown.may,
        "may_confirm": ahead and row.confirmed_at is None and not proposed,
        "may_undo": possible.may_take_back(row),
        "undo_until": row.cancelled_at + possible.UNDO_FOR if row.cancelled_at else None,
        "too_late": ahead and not shown.may,
        "over": row.status == AppointmentStatus.BOOKED and not ahead,
        "proposed": [
            Offered(written(time.starts_at), time.starts_at, time.doctor_id, _doctor_name(time.doctor_id, row))
            for time in proposed
        ],
        "chosen": request.args.get("time", ""),
    }


def _doctor_name(doctor_id: int, row: Appointment) -> str:
    names = {one.id: one.name for one in to_move(row, "").doctors}
    return names.get(doctor_id, row.doctor.name)


def _times_page(token: str, form: MoveForm, day: date | None = None, *, taken: str | None = None) -> str:
    row = _chosen(token, form)
    shown: Visit = visit(row, _actor(row))
    if Act.MOVE not in shown.may:
        raise Conflict(_("This appointment can no longer be rescheduled online. Please call the clinic."))
    choice = to_move(row, "")
    return render_template(
        "appointments/visit_links/times.html",
        token=token,
        form=form,
        visit=shown,
        sentence=taken,
        nearest=nearest(choice, instant_of(form.starts_at.data or "")) if taken else [],
        offer=offers(choice, day),
    )


def _actor(row: Appointment) -> Actor:
    """Return the actor for an appointment link."""
    return message_links.patient(row.patient_id, context.address())
