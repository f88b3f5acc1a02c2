"""Doctors and their hours, with the forms that change them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import Optional

from service import clock
from service.domain.diary import covers, doctors, hours, time_off
from service.domain.diary.covers import CoverRequest
from service.domain.diary.doctors import DoctorDetails
from service.domain.diary.hours import WeekBlock
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.http import context
from service.language.translation import lazy_gettext as _l
from service.storage.models import Cover, Doctor
from service.web import notices
from service.web.appointments.visits import COLOURS, visits
from service.web.date_fields import DayField, EndField, TimeField
from service.web.diary import week
from service.web.forms import Form, at_most, required

blueprint = Blueprint("doctors", __name__)
USUAL_SLOT = 15


class DoctorForm(Form):
    """The fields of their own profile that a doctor may change."""

    name = wtforms.StringField(_l("Name"), [required(), at_most(200)])
    department = wtforms.StringField(_l("Department"), [at_most(100)])
    version = wtforms.IntegerField(validators=[required()], widget=wtforms.widgets.HiddenInput())


class DeskDoctorForm(DoctorForm):
    """The fields that only the desk may change."""

    archived = wtforms.BooleanField(_l("Archived (no longer works here)"))


class HoursForm(Form):
    weekdays = wtforms.SelectMultipleField(_l("Days of the week"), coerce=int)
    starts = TimeField(_l("Starts at"), [required()])
    ends = EndField(_l("Ends at"), [required()], starts="starts")
    slot_minutes = wtforms.IntegerField(_l("Minutes per appointment"), [required()])
    valid_from = DayField(_l("First day"), [Optional()])
    valid_until = DayField(_l("Last day"), [Optional()])

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.weekdays.choices = list(week.names().items())


class EndForm(Form):
    last_day = DayField(_l("Last day"), [Optional()])


class CoverForm(Form):
    """A cover; its fields have their own prefix because the page has another form."""

    cover_doctor_id = wtforms.SelectField(_l("Covering doctor"), coerce=int)
    cover_first_day = DayField(_l("First day"), [required()])
    cover_last_day = DayField(_l("Last day"), [required()])


@blueprint.get("/doctors")
def index() -> ResponseReturnValue:
    """List the doctors by department, with their hours."""
    session, today = context.reading(), clock.today(context.wiring().settings.clinic.zone)
    archived = request.args.get("archived") == "1"
    found = doctors.roster(session, archived=archived)
    blocks = hours.of_doctors(session, [one.id for one in found], today)
    departments: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        entry = {**_shown(one), "week": week.in_words(blocks.get(one.id, []), today)}
        departments.setdefault(one.department, []).append(entry)
    return render_template("diary/doctors/list.html", departments=departments, archived=archived, count=len(found))


@blueprint.get("/doctors/<row_id:doctor_id>")
def show(doctor_id: int) -> ResponseReturnValue:
    """Show one doctor's week, with forms for those who may change it."""
    return _page(doctor_id)


@blueprint.post("/doctors/<row_id:doctor_id>")
def change(doctor_id: int) -> ResponseReturnValue:
    """Change a doctor's name or department, or archive them."""
    actor = context.actor()
    form = _form(actor)(request.form)
    if not form.validate():
        doctors.to_edit(context.reading(), actor, doctor_id)
        return _page(doctor_id, form=form), 422
    try:
        with context.transaction() as session:
            doctors.change(
                session,
                actor,
                doctor_id,
                DoctorDetails(form.name.data or "", form.department.data or ""),
                version=form.version.data or 0,
                archived=form.archived.data if isinstance(form, DeskDoctorForm) else None,
            )
    except Invalid as error:
        form.refuse(error)
        return _page(doctor_id, form=form), 422
    except Conflict:
        present = doctors.fetch(context.reading(), doctor_id)
        form.version.raw_data = [str(present.version)]
        return _page(doctor_id, form=form, conflict=True), 409
    notices.say("doctor_saved")
    return redirect(url_for("doctors.show", doctor_id=doctor_id), 303)


@blueprint.post("/doctors/<row_id:doctor_id>/hours")
def add_hours(doctor_id: int) -> ResponseReturnValue:
    """Add the same block on one or several days of the week."""
    actor, form = context.actor(), HoursForm(request.form)
    if not form.validate():
        doctors.to_edit(context.reading(), actor, doctor_id)
        return _page(doctor_id, hours_form=form), 422
    assert form.starts.data is not None
    assert form.ends.data is not None
    block = WeekBlock(
        weekdays=form.weekdays.data or [],
        starts=form.starts.data,
        ends=form.ends.data,
        slot_minutes=form.slot_minutes.data or 0,
        valid_from=form.valid_from.data,
        valid_until=form.valid_until.data,
    )
    try:
        with context.transaction() as session:
            hours.add(session, actor, doctor_id, block, context.wiring().settings.clinic.zone)
    except Invalid as error:
        form.refuse(error)
        return _page(doctor_id, hours_form=form), 422
    notices.say("hours_added")
    return redirect(url_for("doctors.show", doctor_id=doctor_id), 303)


@blueprint.post("/doctors/<row_id:doctor_id>/hours/<row_id:block_id>/removal")
def remove_hours(doctor_id: int, block_id: int) -> ResponseReturnValue:
    """End a block at once, or after the given last day."""
    actor, form, zone = context.actor(), EndForm(request.form), context.wiring().settings.clinic.zone
    try:
        if not form.validate():
            raise Invalid(" ".join(form.last_day.errors), "last_day")
        with context.transaction() as session:
            hours.end(session, actor, doctor_id, block_id, last_day=form.last_day.data, zone=zone)
    except Invalid as error:
        doctors.to_edit(context.reading(), actor, doctor_id)
        return _page(doctor_id, refused=(block_id, str(error), form.last_day.raw_data)), 422
    notices.say("hours_ended" if form.last_day.data else "hours_removed")
    return redirect(url_for("doctors.show", doctor_id=doctor_id), 303)


@blueprint.post("/doctors/<row_id:doctor_id>/covers")
def add_cover(doctor_id: int) -> ResponseReturnValue:
    """Add a cover: another doctor stands in and can open this doctor's patient records."""
    doctors.fetch(context.reading(), doctor_id)
    form = _cover_form(doctor_id, request.form)
    if not form.validate():
        return _page(doctor_id, cover_form=form), 422
    assert form.cover_first_day.data is not None
    assert form.cover_last_day.data is not None
    asked = CoverRequest(form.cover_doctor_id.data, form.cover_first_day.data, form.cover_last_day.data)
    try:
        with context.transaction() as session:
            covers.add(session, context.actor(), doctor_id, asked, context.wiring().settings.clinic.zone)
    except Invalid as error:
        form.refuse(error)
        return _page(doctor_id, cover_form=form), 422
    notices.say("cover_added")
    return redirect(url_for("doctors.show", doctor_id=doctor_id), 303)


@blueprint.post("/doctors/<row_id:doctor_id>/covers/<row_id:cover_id>/removal")
def remove_cover(doctor_id: int, cover_id: int) -> ResponseReturnValue:
    """End a cover."""
    with context.transaction() as session:
        covers.remove(session, context.actor(), doctor_id, cover_id)
    notices.say("cover_removed")
    return redirect(url_for("doctors.show", doctor_id=doctor_id), 303)


def _cover_form(doctor_id: int, typed: Any = None) -> CoverForm:
    form = CoverForm(typed)
    others = [one for one in doctors.roster(context.reading()) if one.id != doctor_id]
    form.cover_doctor_id.choices = [(one.id, one.name) for one in others]
    return form


def _form(actor: Actor) -> type[DoctorForm]:
    return DoctorForm if actor.role == Role.DOCTOR else DeskDoctorForm


def _page(
    doctor_id: int,
    *,
    form: DoctorForm | None = None,
    hours_form: HoursForm | None = None,
    refused: tuple[int, str, Sequence[str] | None] | None = None,
    cover_form: CoverForm | None = None,
    conflict: bool = False,
) -> str:
    """Render the page with a form as it was sent; `refused` is the block that could not be ended, and why."""
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    doctor, today = doctors.fetch(session, doctor_id), clock.today(zone)
    may_edit = doctors.may_edit(actor, doctor_id)
    lost = hours.outside(session, actor, doctor_id, zone) if may_edit else hours.Outside(0, [])
    blocks = hours.of_doctors(session, [doctor_id], today).get(doctor_id, [])
    return render_template(
        "diary/doctors/show.html",
        doctor=_shown(doctor),
        week=week.rows(blocks, today),
        has_hours=bool(blocks),
        exceptions=time_off.upcoming(session, actor, zone, doctor_id=doctor_id),
        outside={"count": lost.count, "visits": visits(lost.visits, actor)},
        may_edit=may_edit,
        form=form or _form(actor)(obj=doctor, archived=doctor.archived_at is not None),
        hours_form=hours_form or HoursForm(slot_minutes=USUAL_SLOT),
        refused=dict(zip(("block_id", "sentence", "typed"), refused, strict=True)) if refused else None,
        conflict=conflict,
        covers=[_cover(row, zone) for row in covers.around(session, doctor_id)],
        cover_form=cover_form or _cover_form(doctor_id),
        may_cover=actor.role in (Role.ADMIN, Role.RECEPTIONIST),
    )


def _cover(row: Cover, zone: ZoneInfo) -> dict[str, Any]:
    last = row.ends_at - timedelta(seconds=1)  # it ends with the day
    return {
        "id": row.id,
        "covered_id": row.covered_id,
        "doctor_name": row.doctor.name,
        "covered_name": row.covered.name,
        "first_day": row.starts_at.astimezone(zone).date(),
        "last_day": last.astimezone(zone).date(),
    }


def _shown(doctor: Doctor) -> dict[str, Any]:
    return {
        "id": doctor.id,
        "name": doctor.name,
        "department": doctor.department,
        "colour": doctor.id % COLOURS,
        "archived": doctor.archived_at is not None,
    }
