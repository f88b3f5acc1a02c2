"""Exports of a patient's history: press or choose, follow, stop, download, take away."""

import wtforms
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import AnyOf, NumberRange, Optional

from service.domain.exports import exports
from service.domain.exports.export_formats import FORMATS, Contents
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.patients import patients
from service.http import context, downloads
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import ExportFormat, Patient
from service.web import notices
from service.web.exports import export_pages
from service.web.forms import Form
from service.web.patients.patients import asked_id

blueprint = Blueprint("exports", __name__)


class ExportForm(Form):
    patient_id = wtforms.IntegerField(validators=[Optional(), NumberRange(1, 2**63 - 1)])
    format = wtforms.StringField(
        validators=[Optional(), AnyOf(tuple(ExportFormat), _l("Choose one of these."))], default=ExportFormat.CSV
    )
    visits = wtforms.BooleanField(_l("My appointments"))
    messages = wtforms.BooleanField(_l("Messages from the clinic"))

    def contents(self) -> Contents:
        """What was chosen; without a choice the table of treatments."""
        return Contents(ExportFormat(self.format.data or ExportFormat.CSV), self.visits.data, self.messages.data)


@blueprint.get("/exports/new")
def new() -> ResponseReturnValue:
    """What to take along, and how: for those to whom the plain table is not enough."""
    patient = patients.fetch_clinical(context.reading(), context.actor(), asked_id("patient_id") or _only_patient())
    return _form(ExportForm(data={"format": ExportFormat.ZIP, "visits": True, "messages": True}), patient)


@blueprint.post("/exports")
def create() -> ResponseReturnValue:
    """Start the export of a patient's full history, or go to the one that is under way."""
    actor, form = context.actor(), ExportForm(request.form)
    if not form.validate():
        raise Invalid(_("Choose the patient whose history you want, and a format."))
    patient_id = form.patient_id.data or _only_patient()
    most = context.wiring().settings.exports.most_waiting
    try:
        with context.transaction() as session:
            export = exports.request(session, actor, patient_id, form.contents(), most_waiting=most)
    except Invalid as error:
        form.refuse(error)
        return _form(form, patients.fetch_clinical(context.reading(), actor, patient_id)), 422
    context.wiring().queue.export(export.id)
    if Contents.of(export) != form.contents():
        notices.say("export_under_way")
    return redirect(url_for("exports.show", export_id=export.id), 303)


@blueprint.get("/exports/<export_id:export_id>")
def show(export_id: str) -> ResponseReturnValue:
    """How far the export is; refreshes itself until it is done."""
    actor, session = context.actor(), context.reading()
    export = exports.fetch(session, actor, export_id)
    if export.patient_id is None:
        raise NotFound
    patient = patients.fetch_clinical(session, actor, export.patient_id)
    return render_template("exports/show.html", export=export_pages.shown(export), patient=patient)


@blueprint.get("/exports/<export_id:export_id>/file")
def file(export_id: str) -> ResponseReturnValue:
    """The finished file, as an attachment whose name tells nothing about the patient."""
    return downloads.send(context.actor(), export_id)


@blueprint.post("/exports/<export_id:export_id>/cancellation")
def cancel(export_id: str) -> ResponseReturnValue:
    """Stop an export that is not finished."""
    with context.transaction() as session:
        exports.cancel(session, context.actor(), export_id)
    return redirect(url_for("exports.show", export_id=export_id), 303)


@blueprint.post("/exports/<export_id:export_id>/removal")
def revoke(export_id: str) -> ResponseReturnValue:
    """Take the finished file away before its time."""
    export_pages.take_away(export_id)
    return redirect(url_for("exports.show", export_id=export_id), 303)


def _only_patient() -> int:
    """The one patient this user looks after. Raises Invalid when there are several, or none."""
    own = context.actor().patient_ids
    if len(own) != 1:
        raise Invalid(_("Choose the patient whose history you want."))
    return next(iter(own))


def _form(form: ExportForm, patient: Patient) -> str:
    return render_template("exports/new.html", form=form, patient=patient, formats=FORMATS)
