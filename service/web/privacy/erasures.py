"""Erasing a patient, what stands against it, and the records whose time is over."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.foundation.errors import Conflict, Invalid
from service.domain.patients import patients
from service.domain.privacy import erasure, legal_holds
from service.http import context
from service.jobs.clean_up import clean_up_after_erasure
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.web import notices
from service.web.forms import Form, at_most, required

blueprint = Blueprint("erasures", __name__)


class EraseForm(Form):
    sure = wtforms.BooleanField(_l("I'm sure. This can't be undone."), [required()])


class HoldForm(Form):
    reason = wtforms.StringField(_l("Reason for the hold"), [required(), at_most(legal_holds.LONGEST_REASON)])


@blueprint.get("/erasures")
def index() -> ResponseReturnValue:
    """Records that may go by now."""
    zone, years = _rules()
    due = erasure.due(context.reading(), context.actor(), years=years, zone=zone)
    return render_template("privacy/erasures/list.html", patients=due, years=years, most=erasure.MOST_DUE)


@blueprint.get("/patients/<row_id:patient_id>/erasure")
def show(patient_id: int) -> ResponseReturnValue:
    """What an erasure does, and what stands against it."""
    return _page(patient_id, EraseForm(), HoldForm())


@blueprint.post("/patients/<row_id:patient_id>/erasure")
def erase(patient_id: int) -> ResponseReturnValue:
    """Erase for good, files too."""
    form, (zone, years) = EraseForm(request.form), _rules()
    if not form.validate():
        return _page(patient_id, form, HoldForm()), 422
    try:
        with context.transaction() as session:
            erasure.erase(session, context.actor(), patient_id, years=years, zone=zone)
    except Conflict:
        return _page(patient_id, EraseForm(), HoldForm()), 409
    clean_up_after_erasure(context.wiring().jobs)
    notices.say("patient_erased")
    return redirect(url_for("erasures.show", patient_id=patient_id), 303)


@blueprint.post("/patients/<row_id:patient_id>/holds")
def put_hold(patient_id: int) -> ResponseReturnValue:
    """A reason why the record stays for now."""
    form = HoldForm(request.form)
    if not form.validate():
        return _page(patient_id, EraseForm(), form), 422
    try:
        with context.transaction() as session:
            legal_holds.put(session, context.actor(), patient_id, reason=form.reason.data or "")
    except Invalid as error:
        form.refuse(error)
        return _page(patient_id, EraseForm(), form), 422
    notices.say("hold_put")
    return redirect(url_for("erasures.show", patient_id=patient_id), 303)


@blueprint.post("/patients/<row_id:patient_id>/holds/<row_id:hold_id>/lifting")
def lift_hold(patient_id: int, hold_id: int) -> ResponseReturnValue:
    """The reason is gone."""
    with context.transaction() as session:
        legal_holds.lift(session, context.actor(), patient_id, hold_id)
    notices.say("hold_lifted")
    return redirect(url_for("erasures.show", patient_id=patient_id), 303)


def _rules() -> tuple[ZoneInfo, int]:
    settings = context.wiring().settings
    return settings.clinic.zone, settings.privacy.records_years


def _page(patient_id: int, form: EraseForm, hold_form: HoldForm) -> str:
    actor, session, (zone, years) = context.actor(), context.reading(), _rules()
    return render_template(
        "privacy/erasures/show.html",
        patient=patients.fetch(session, actor, patient_id),
        obstacles=_sentences(erasure.obstacles(session, actor, patient_id, years=years, zone=zone)),
        holds=legal_holds.standing(session, actor, patient_id),
        pseudonym=patients.pseudonym(patient_id),
        form=form,
        hold_form=hold_form,
    )


def _sentences(obstacles: erasure.Obstacles) -> Sequence[str]:
    if obstacles.kept_until is None:
        return obstacles.sentences
    day = context.formats().long_date(obstacles.kept_until)
    required = _("Treatments must be kept until %(day)s, as the law requires.") % {"day": day}
    return [*obstacles.sentences, required]
