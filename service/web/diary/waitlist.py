"""The waitlist: its entries, adding patients, and whom a slot suits."""

from datetime import time

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.appointments import appointments, visit_types
from service.domain.diary import doctors, offers, waitlist
from service.domain.diary.waitlist import WaitlistRequest
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Conflict, Invalid, NotFound
from service.domain.patients import patient_search, patients
from service.http import context
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import PartOfDay
from service.web import notices, tellings
from service.web.diary import week
from service.web.forms import Form, at_most
from service.web.local_times import instant_of, row_id_of, valid_row_id, written

blueprint = Blueprint("waitlist", __name__)
ANY = "any"


class WaitlistForm(Form):
    """What a patient is waiting for; no chosen day means every day."""

    patient_id = wtforms.StringField(_l("Patient"))
    doctor_id = wtforms.SelectField(_l("Doctor"), validate_choice=False)
    visit_type_id = wtforms.SelectField(_l("Appointment type"), validate_choice=False)
    weekdays = wtforms.SelectMultipleField(_l("Preferred days"), validate_choice=False)
    part = wtforms.SelectField(_l("Time of day"), default=PartOfDay.ANY, validate_choice=False)
    urgent = wtforms.BooleanField(_l("Urgent"))
    note = wtforms.StringField(_l("Note"), [at_most(waitlist.LONGEST_NOTE)])


class OfferForm(Form):
    """A slot for a patient on the waitlist."""

    doctor_id = wtforms.StringField(_l("Doctor"))
    starts_at = wtforms.StringField(_l("Time"))


@blueprint.get("/waitlist")
def index() -> ResponseReturnValue:
    """List the entries and the slots held for them."""
    actor, session = context.actor(), context.reading()
    held = offers.standing(session)
    return render_template(
        "diary/waitlist/list.html",
        entries=waitlist.waiting(session, actor),
        total=waitlist.count(session, actor),
        held={one.entry_id: one for one in held},
        days=_days(),
        parts=_parts(),
        may_change=actor.role != Role.DOCTOR,
    )


@blueprint.get("/waitlist/new")
def new() -> ResponseReturnValue:
    """Show the form, after a patient was chosen."""
    return _form_page(WaitlistForm(request.args))


@blueprint.post("/waitlist")
def create() -> ResponseReturnValue:
    """Add a patient to the waitlist."""
    actor, form = context.actor(), WaitlistForm(request.form)
    if not form.validate():
        return _form_page(form), 422
    try:
        wanted = _wanted(form)
        with context.transaction() as session:
            waitlist.add(session, actor, wanted)
    except Invalid as error:
        form.refuse(error)
        return _form_page(form), 422
    notices.say("added_to_waitlist")
    return redirect(url_for("waitlist.index"), 303)


@blueprint.post("/waitlist/<row_id:entry_id>/removal")
def remove(entry_id: int) -> ResponseReturnValue:
    """Remove an entry."""
    with context.transaction() as session:
        waitlist.remove(session, context.actor(), entry_id)
    notices.say("removed_from_waitlist")
    return redirect(url_for("waitlist.index"), 303)


@blueprint.get("/waitlist/fits")
def fits() -> ResponseReturnValue:
    """Show whom a slot (`?doctor_id=&starts_at=YYYY-MM-DDTHH:MM`) suits, with buttons to offer it."""
    return _fits_page(request.args.get("doctor_id"), request.args.get("starts_at", ""))


@blueprint.post("/waitlist/<row_id:entry_id>/offers")
def offer(entry_id: int) -> ResponseReturnValue:
    """Hold a slot for an entry."""
    actor, form = context.actor(), OfferForm(request.form)
    doctor_id, starts_at = form.doctor_id.data or "", form.starts_at.data or ""
    zone = context.wiring().settings.clinic.zone
    try:
        if not form.validate():
            raise Invalid(_("This form was sent with a field it doesn't have."))
        at = instant_of(starts_at)
        with context.transaction() as session:
            made = offers.make(
                session, actor, entry_id, doctor_id=row_id_of(doctor_id) or 0, starts_at=at, zone=zone
            ).id
    except Invalid as error:
        return _refused(doctor_id, starts_at, error), 422
    except Conflict as error:
        return _refused(doctor_id, starts_at, error), 409
    notices.say("offer_made")
    return redirect(url_for("offers.show", offer_id=made), 303)


def _form_page(form: WaitlistForm) -> str:
    actor, session, query = context.actor(), context.reading(), request.args.get("q", "")
    doctors, kinds = appointments.doctors(session), visit_types.offered(session, actor)
    form.doctor_id.choices = [(ANY, _("Any doctor")), *((str(one.id), one.name) for one in doctors)]
    form.visit_type_id.choices = [("", _("Any type")), *((str(one.id), one.name) for one in kinds)]
    form.weekdays.choices = list(_days().items())
    form.part.choices = list(_parts().items())
    asked = form.patient_id.data
    return render_template(
        "diary/waitlist/new.html",
        form=form,
        patient=patients.fetch(session, actor, row_id_of(asked) or 0) if asked else None,
        query=query,
        found=patient_search.search(session, actor, query, context.formats().order).patients if query else [],
    )


def _wanted(form: WaitlistForm) -> WaitlistRequest:
    """Return the form as a request. Raises Invalid without a patient, NotFound for impossible ids."""
    if not form.patient_id.data:
        raise Invalid(_("Choose a patient first."), "patient_id")
    return WaitlistRequest(
        patient_id=valid_row_id(form.patient_id.data),
        doctor_id=None if form.doctor_id.data in (ANY, "", None) else valid_row_id(form.doctor_id.data),
        visit_type_id=valid_row_id(form.visit_type_id.data) if form.visit_type_id.data else None,
        weekdays="".join(form.weekdays.data or []) or waitlist.EVERY_DAY,
        part=form.part.data or PartOfDay.ANY,
        urgent=form.urgent.data,
        note=form.note.data or "",
    )


def _fits_page(asked: str | None, starts_at: str, refusal: str | None = None) -> str:
    """Render the page of a slot. Raises NotFound for a doctor or a time that does not exist."""
    session, zone = context.reading(), context.wiring().settings.clinic.zone
    doctor_id = valid_row_id(asked)
    try:
        at = instant_of(starts_at)
    except Invalid:
        raise NotFound from None
    doctor = doctors.fetch(session, doctor_id)
    free = None if doctor.archived_at else offers.free_stretch(session, zone, doctor_id, at)
    entries = waitlist.who_fits(session, context.actor(), zone, free) if free else []
    return render_template(
        "diary/waitlist/fits.html",
        doctor=doctor,
        at=at,
        value=written(at),
        free=free,
        minutes=int((free.ends_at - free.starts_at).total_seconds() // 60) if free else 0,
        entries=entries,
        tellings={one.id: tellings.before("waiting_list_offer", one.patient_id) for one in entries},
        days=_days(),
        parts=_parts(),
        refusal=refusal,
    )


def _refused(asked: str, starts_at: str, error: Invalid | Conflict) -> str:
    """Render why a slot could not be held: on its own page, or alone if there is no such time."""
    try:
        return _fits_page(asked, starts_at, str(error))
    except NotFound:
        return render_template("diary/waitlist/refused.html", refusal=str(error))


def _days() -> dict[str, str]:
    return {str(number): name for number, name in week.names(short=True).items()}


def _parts() -> dict[PartOfDay, str]:
    formats = context.formats()
    noon, evening = formats.time(time(waitlist.NOON)), formats.time(time(waitlist.EVENING))
    return {
        PartOfDay.ANY: _("Any time"),
        PartOfDay.MORNING: _("Morning (before %(noon)s)") % {"noon": noon},
        PartOfDay.AFTERNOON: _("Afternoon (%(noon)s to %(evening)s)") % {"noon": noon, "evening": evening},
        PartOfDay.EVENING: _("Evening (from %(evening)s)") % {"evening": evening},
    }
