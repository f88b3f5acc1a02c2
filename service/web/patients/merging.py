"""Merge two records of one person: find the other one, compare both, then merge it into this one."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import NumberRange

from service.domain.foundation.errors import Conflict, Invalid
from service.domain.patients import merging, patient_search
from service.domain.patients.details import PatientDetails
from service.http import context
from service.language.translation import gettext as _
from service.web import notices
from service.web.forms import Form, required
from service.web.patients.patients import asked_id

blueprint = Blueprint("merging", __name__)


class MergeForm(Form):
    other_id = wtforms.IntegerField(validators=[required(), NumberRange(1, 2**63 - 1)])


@blueprint.get("/patients/<row_id:patient_id>/merge")
def choose(patient_id: int) -> ResponseReturnValue:
    """Search for the other record with `?q=`, or compare with the one in `?other_id=`."""
    return _page(patient_id, asked_id("other_id"), None)


@blueprint.post("/patients/<row_id:patient_id>/merge")
def merge(patient_id: int) -> ResponseReturnValue:
    """Merge the other record into this one."""
    form = MergeForm(request.form)
    if not form.validate() or form.other_id.data is None:
        return _page(patient_id, None, _("Choose the other record first.")), 422
    try:
        with context.transaction() as session:
            wait = context.wiring().settings.privacy.new_guardian_hours
            merging.merge(session, context.actor(), patient_id, other_id=form.other_id.data, wait_hours=wait)
    except Invalid as error:
        return _page(patient_id, None, str(error)), 422
    except Conflict as error:
        return _page(patient_id, form.other_id.data, str(error)), 409
    notices.say("patients_merged")
    return redirect(url_for("patients.record", patient_id=patient_id), 303)


def _page(patient_id: int, other_id: int | None, refusal: str | None) -> str:
    actor, session, text = context.actor(), context.reading(), request.args.get("q", "").strip()
    kept = merging.side(session, actor, patient_id)
    other = merging.side(session, actor, other_id) if other_id is not None and other_id != patient_id else None
    if text:
        found = patient_search.search(session, actor, text, context.formats().order).patients
    else:
        found = patient_search.likely_duplicates(session, actor, PatientDetails.of(kept.patient), except_id=patient_id)
    return render_template(
        "patients/merge.html",
        kept=kept,
        other=other,
        q=text,
        found=[patient for patient in found if patient.id != patient_id],
        refusal=refusal,
    )
