"""Time off, holidays, and extra hours."""

from dataclasses import dataclass

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import Optional

from service import clock
from service.domain.diary import affected_appointments, doctors, time_off
from service.domain.diary.affected_appointments import Counts
from service.domain.diary.time_off import Closure, ExtraHours
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.storage.models import ExceptionKind, HoursException
from service.web import notices
from service.web.date_fields import DayField, EndField, TimeField
from service.web.forms import Form, at_most, required
from service.web.local_times import valid_row_id

blueprint = Blueprint("time_off", __name__)
EVERYBODY = "all"
USUAL_SLOT = 15


class OffForm(Form):
    doctor_id = wtforms.StringField(_l("Doctor or clinic"), [required()])
    first_day = DayField(_l("First day"), [required()])
    last_day = DayField(_l("Last day (if more than one)"), [Optional()])
    starts = TimeField(_l("Starts at"), [Optional()])
    ends = EndField(_l("Ends at"), [Optional()], starts="starts")
    note = wtforms.StringField(_l("Note"), [at_most(time_off.LONGEST_NOTE)])


class ExtraForm(Form):
    doctor_id = wtforms.StringField(_l("Doctor"), [required()])
    first_day = DayField(_l("Day"), [required()])
    starts = TimeField(_l("Starts at"), [required()])
    ends = EndField(_l("Ends at"), [required()], starts="starts")
    slot_minutes = wtforms.IntegerField(_l("Minutes per appointment"), [required()])
    note = wtforms.StringField(_l("Note"), [at_most(time_off.LONGEST_NOTE)])


@dataclass(frozen=True)
class Entry:
    """A row of the list."""

    row: HoursException
    counts: Counts | None
    may_edit: bool


@blueprint.get("/time-off")
def index() -> ResponseReturnValue:
    """List current and upcoming exceptions, with the forms to add more."""
    return _list(OffForm(), ExtraForm(slot_minutes=USUAL_SLOT))


@blueprint.post("/time-off")
def create() -> ResponseReturnValue:
    """Block time, and continue with the affected appointments if there are any."""
    actor, zone, form = context.actor(), context.wiring().settings.clinic.zone, OffForm(request.form)
    if not form.validate():
        return _list(form, ExtraForm(slot_minutes=USUAL_SLOT)), 422
    assert form.first_day.data is not None
    closure = Closure(
        doctor_id=None if form.doctor_id.data == EVERYBODY else valid_row_id(form.doctor_id.data),
        first_day=form.first_day.data,
        last_day=form.last_day.data or form.first_day.data,
        starts=form.starts.data,
        ends=form.ends.data,
        note=form.note.data or "",
    )
    try:
        with context.transaction() as session:
            row = time_off.close(session, actor, closure, zone)
            row_id, counts = row.id, affected_appointments.count(session, actor, row, zone)
    except Invalid as error:
        form.refuse(error)
        return _list(form, ExtraForm(slot_minutes=USUAL_SLOT)), 422
    notices.say("time_off_added")
    where = url_for("affected_appointments.show", exception_id=row_id) if counts.total else url_for("time_off.index")
    return redirect(where, 303)


@blueprint.post("/extra-hours")
def create_extra() -> ResponseReturnValue:
    """Add extra hours on one day."""
    actor, form = context.actor(), ExtraForm(request.form)
    if not form.validate():
        return _list(OffForm(), form), 422
    assert form.first_day.data is not None
    assert form.starts.data is not None
    assert form.ends.data is not None
    extra = ExtraHours(
        doctor_id=valid_row_id(form.doctor_id.data),
        day=form.first_day.data,
        starts=form.starts.data,
        ends=form.ends.data,
        slot_minutes=form.slot_minutes.data or 0,
        note=form.note.data or "",
    )
    try:
        with context.transaction() as session:
            time_off.open_extra(session, actor, extra, context.wiring().settings.clinic.zone)
    except Invalid as error:
        form.refuse(error)
        return _list(OffForm(), form), 422
    notices.say("extra_hours_added")
    return redirect(url_for("time_off.index"), 303)


@blueprint.post("/time-off/<row_id:exception_id>/removal")
def remove(exception_id: int) -> ResponseReturnValue:
    """Remove an exception."""
    with context.transaction() as session:
        time_off.remove(session, context.actor(), exception_id)
    notices.say("time_off_removed")
    return redirect(url_for("time_off.index"), 303)


def doctor_choices() -> list[tuple[str, str]]:
    """Return the doctors whose hours the actor may change, for a select field."""
    actor = context.actor()
    found = doctors.roster(context.reading())
    return [(str(one.id), one.name) for one in found if doctors.may_edit(actor, one.id)]


def _list(form: OffForm, extra: ExtraForm) -> str:
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    rows = time_off.upcoming(session, actor, zone)
    return render_template(
        "diary/time_off/list.html",
        entries=[_entry(row) for row in rows],
        form=form,
        extra=extra,
        doctors=doctor_choices(),
        may_close_clinic=actor.role != Role.DOCTOR,
        today=clock.today(zone),
    )


def _entry(row: HoursException) -> Entry:
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    counts = affected_appointments.count(session, actor, row, zone) if row.kind == ExceptionKind.OFF else None
    return Entry(row, counts, time_off.may_edit(actor, row))
