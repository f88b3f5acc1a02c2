"""Exports of a patient's history: request, follow, download."""

from flask import Blueprint, Response, url_for

from service.api import contract
from service.api.contract import FILE, Answer
from service.api.exports.bodies import Export, NewExport
from service.api.patients.own_patient import patient_meant
from service.domain.exports import exports
from service.domain.exports.export_formats import Contents
from service.http import bearers, context, downloads
from service.storage.models import Export as Row

blueprint = Blueprint("exports", __name__, url_prefix="/exports")


@blueprint.post("")
@contract.changes(Export, status=201, body=NewExport, problems=(404, 409))
def create(body: NewExport) -> Answer:
    """Start the export of a patient's full history, or get the one that is under way."""
    actor, wiring = bearers.actor(), context.wiring()
    row = exports.request(
        context.writing(),
        actor,
        patient_meant(actor, body.patient_id),
        Contents(body.format, body.visits, body.messages),
        most_waiting=wiring.settings.exports.most_waiting,
    )
    context.writing().flush()
    export_id = row.id
    here = url_for("api.exports.show", export_id=export_id)
    return Answer(_shown(row), 201, here, then=lambda: wiring.queue.export(export_id))


@blueprint.get("/<export_id:export_id>")
@contract.reads(Export)
def show(export_id: str) -> Answer:
    """Show how far an export is."""
    return Answer(_shown(exports.fetch(context.reading(), bearers.actor(), export_id)))


@blueprint.get("/<export_id:export_id>/file")
@contract.reads(FILE, problems=(206, 304, 409, 410, 416))
def file(export_id: str) -> Response:
    """Download the finished file."""
    return downloads.send(bearers.actor(), export_id)


def _shown(row: Row) -> Export:
    values = {name: getattr(row, name) for name in Export.model_fields}
    return Export.model_validate({**values, "status": exports.state(row)})
