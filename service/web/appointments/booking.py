"""Book and reschedule appointments: choose patient, doctor, day, and time, without scripts."""

from dataclasses import replace
from datetime import date
from typing import Any

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.appointments import appointments, booking, series, walk_ins
from service.domain.appointments.admission import Taken
from service.domain.appointments.requests import MoveRequest, SeriesRequest
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.patients import patient_search
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.web import notices, tellings
from service.web.appointments.booking_choice import Choice, chosen, nearest, offers, to_move
from service.web.appointments.visits import visit
from service.web.date_fields import day_of_address
from service.web.forms import Form, at_most
from service.web.local_times import day_of, instant_of

blueprint = Blueprint("booking", __name__)
STEPS = frozenset({"patient_id", "doctor_id", "department", "visit_type_id"})
"""The fields that are chosen by links, step by step."""


class BookingForm(Form):
    """The fields a patient can send."""

    chosen_before = STEPS
    patient_id = wtforms.StringField(_l("Patient"))
    doctor_id = wtforms.StringField(_l("Doctor"))
    department = wtforms.StringField(_l("Department"), [at_most(100)])
    visit_type_id = wtforms.StringField(_l("Appointment type"))
    starts_at = wtforms.StringField(_l("Date and time"))
    reason = wtforms.StringField(_l("Reason"), [at_most(booking.LONGEST_REASON)])


class DeskBookingForm(BookingForm):
    """More fields that staff can send."""

    overbooking_reason = wtforms.StringField(_l("Reason for overbooking"), [at_most(booking.LONGEST_REASON)])
    count = wtforms.IntegerField(_l("Number of appointments"), default=1)
    every_days = wtforms.IntegerField(_l("Days between appointments"), default=7)


class WalkInForm(Form):
    chosen_before = STEPS
    patient_id = wtforms.StringField(_l("Patient"))
    doctor_id = wtforms.StringField(_l("Doctor"))
    visit_type_id = wtforms.StringField(_l("Appointment type"))
    reason = wtforms.StringField(_l("Reason"), [at_most(booking.LONGEST_REASON)])


class MoveForm(Form):
    """A new time for a booked appointment; staff can also change the doctor."""

    chosen_before = STEPS
    starts_at = wtforms.StringField(_l("Date and time"))
    doctor_id = wtforms.StringField(_l("Doctor"))
    overbooking_reason = wtforms.StringField(_l("Reason for overbooking"), [at_most(booking.LONGEST_REASON)])


@blueprint.get("/appointments/new")
def new() -> ResponseReturnValue:
    """Show the free slots of a day, once the patient and the doctor are chosen."""
    form = _form(context.actor(), None)
    form.starts_at.data = f"{request.args.get('date', '')}T{request.args.get('time', '')}"
    return _page(chosen(request.args), form, day_of_address())


@blueprint.post("/appointments")
def create() -> ResponseReturnValue:
    """Book, or keep the form and show the nearest free slots if someone else was faster."""
    actor = context.actor()
    form, choice = _form(actor, request.form), chosen(request.form)
    if not form.validate():
        return _page(choice, form, _day_of(form)), 422
    try:
        appointment_id = _book(actor, choice, form)
    except Invalid as error:
        form.refuse(error)
        return _page(choice, form, _day_of(form)), 422
    except Taken as error:
        return _taken(choice, form, error), 409
    notices.say("visit_booked")
    return redirect(url_for("appointments.show", appointment_id=appointment_id), 303)


def _book(actor: Actor, choice: Choice, form: BookingForm) -> int:
    """Book one appointment or a series, and return the id of the first."""
    rules, zone = context.wiring().settings.booking, context.wiring().settings.clinic.zone
    wanted = choice.request(instant_of(form.starts_at.data or ""), form.reason.data or "")
    if isinstance(form, DeskBookingForm):
        wanted = replace(wanted, overbooking_reason=form.overbooking_reason.data or "")
        if form.count.data not in (None, 1):
            wish = SeriesRequest(wanted, form.count.data or 0, form.every_days.data or 0)
            with context.transaction() as session:
                return series.book(session, actor, wish, rules, context.wiring().settings.clinic)[0].id
    booking.look(context.reading(), wanted)
    with context.transaction() as session:
        return booking.book(session, actor, wanted, rules, zone).id


@blueprint.post("/walk-ins")
def walk_in() -> ResponseReturnValue:
    """Book the next free slot for a walk-in, and check the patient in."""
    actor, form, choice = context.actor(), WalkInForm(request.form), chosen(request.form)
    if not form.validate():
        return _page(choice, form, None), 422
    try:
        wanted = choice.request(clock.now(), form.reason.data or "")
        with context.transaction() as session:
            walk_ins.take_in(session, actor, wanted, context.wiring().settings.clinic.zone)
    except Invalid as error:
        form.refuse(error)
        return _page(choice, form, None), 422
    except Conflict as error:
        form.form_errors = [str(error)]
        return _page(choice, form, None), 409
    notices.say("walked_in")
    return redirect(url_for("today.board"), 303)


@blueprint.get("/appointments/<row_id:appointment_id>/reschedule")
def move(appointment_id: int) -> ResponseReturnValue:
    """Show the slots a booked appointment can be rescheduled to."""
    form = MoveForm(doctor_id=request.args.get("doctor_id", ""))
    return _move_page(appointment_id, form, day_of_address())


@blueprint.post("/appointments/<row_id:appointment_id>/reschedule")
def reschedule(appointment_id: int) -> ResponseReturnValue:
    """Reschedule the appointment and open the new one."""
    actor, form, settings = context.actor(), MoveForm(request.form), context.wiring().settings
    row = appointments.fetch(context.reading(), actor, appointment_id)
    choice = to_move(row, form.doctor_id.data or "")
    if not form.validate():
        return _move_page(appointment_id, form, _day_of(form)), 422
    try:
        over = form.overbooking_reason.data or ""
        wanted = MoveRequest(instant_of(form.starts_at.data or ""), choice.candidates, over)
        with context.transaction() as session:
            new = booking.reschedule(session, actor, appointment_id, wanted, settings.booking, settings.clinic.zone)
            new_id = new.id
    except Invalid as error:
        form.refuse(error)
        return _move_page(appointment_id, form, _day_of(form)), 422
    except Taken as error:
        return _move_page(appointment_id, form, _day_of(form), taken=error), 409
    notices.say("visit_moved")
    return redirect(url_for("appointments.show", appointment_id=new_id), 303)


def _form(actor: Actor, sent: Any) -> BookingForm:
    return BookingForm(sent) if actor.role == Role.PATIENT else DeskBookingForm(sent)


def _day_of(form: Form) -> date | None:
    """Return the day a form was sent for, to show its slots again."""
    return day_of((form["starts_at"].data or "")[:10])


def _page(choice: Choice, form: Form, day: date | None) -> str:
    actor, session, query = context.actor(), context.reading(), request.args.get("q", "")
    found = (
        patient_search.search(session, actor, query, context.formats().order).patients
        if query and actor.role != Role.PATIENT
        else []
    )
    return render_template(
        "appointments/booking/new.html",
        choice=choice,
        form=form,
        query=query,
        found=found,
        walk_in=request.args.get("walk_in") == "1" or isinstance(form, WalkInForm),
        offer=offers(choice, day) if choice.candidates else None,
        telling=tellings.before("booking_confirmation", choice.patient.id) if choice.patient else None,
    )


def _taken(choice: Choice, form: Form, error: Taken) -> str:
    """Return a short page for those who lost the race for a slot, because there may be many."""
    times = nearest(choice, instant_of(form["starts_at"].data))
    return render_template(
        "appointments/booking/taken.html", choice=choice, form=form, sentence=str(error), times=times
    )


def _move_page(appointment_id: int, form: MoveForm, day: date | None, *, taken: Taken | None = None) -> str:
    actor = context.actor()
    row = appointments.fetch(context.reading(), actor, appointment_id)
    choice = to_move(row, form.doctor_id.data or "")
    return render_template(
        "appointments/booking/move.html",
        choice=choice,
        form=form,
        visit=visit(row, actor),
        sentence=str(taken) if taken else None,
        nearest=nearest(choice, instant_of(form.starts_at.data or "")) if taken else [],
        offer=offers(choice, day),
        telling=tellings.before("visit_moved", row.patient_id) if row.starts_at > clock.now() else None,
    )
