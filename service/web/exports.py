"""Exports: press, follow, download."""

import wtforms
from flask import Blueprint, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from wtforms.validators import NumberRange, Optional

from service import context
from service.domain import exports, patients
from service.domain.errors import Gone, Invalid
from service.models import Export
from service.translation import gettext as _
from service.web.forms import Form

blueprint = Blueprint("exports", __name__)


class ExportForm(Form):
    patient_id = wtforms.IntegerField(validators=[Optional(), NumberRange(1, 2**63 - 1)])


@blueprint.post("/exports")
def create() -> ResponseReturnValue:
    """Start the export of a patient's full history, or go to the one that is under way."""
    actor, form = context.actor(), ExportForm(request.form)
    if not form.validate():
        raise Invalid(_("Choose the patient whose history you want."))
    patient_id = form.patient_id.data
    if patient_id is None:
        if len(actor.patient_ids) != 1:
            raise Invalid(_("Choose the patient whose history you want."))
        patient_id = next(iter(actor.patient_ids))
    with context.transaction() as session:
        export_id = exports.request(session, actor, patient_id).id
    context.wiring().queue.export(export_id)
    return redirect(url_for("exports.show", export_id=export_id), 303)


@blueprint.get("/exports/<export_id:export_id>")
def show(export_id: str) -> ResponseReturnValue:
    """How far the export is; refreshes itself until it is done."""
    actor, session = context.actor(), context.reading()
    export = exports.fetch(session, actor, export_id)
    patient = patients.fetch_clinical(session, actor, export.patient_id)
    return render_template("exports/show.html", export=_shown(export, patient.name))


@blueprint.get("/exports/<export_id:export_id>/file")
def file(export_id: str) -> ResponseReturnValue:
    """The finished file, as an attachment whose name tells nothing about the patient."""
    wiring, actor = context.wiring(), context.actor()
    path, finished_at = exports.download(context.reading(), actor, export_id, wiring.settings.histories)
    with context.transaction_if_possible("export.download") as session:
        exports.note_download(session, actor, export_id)
    day = finished_at.astimezone(wiring.settings.clinic.zone).date()
    try:
        return send_file(
            path,
            mimetype="text/csv",
            as_attachment=True,
            download_name=f"history-{day.isoformat()}.csv",
            max_age=0,
        )
    except FileNotFoundError:
        raise Gone(_("The file of this export is not there any more. You can make a new one at any time.")) from None


def _shown(export: Export, patient_name: str) -> dict[str, object]:
    percent = 100 * export.rows_done // export.rows_total if export.rows_total else 0
    return {
        "id": export.id,
        "status": exports.state(export),
        "rows_done": export.rows_done,
        "rows_total": export.rows_total,
        "percent": percent,
        "created_at": export.created_at,
        "expires_at": export.expires_at,
        "patient_id": export.patient_id,
        "patient_name": patient_name,
    }
