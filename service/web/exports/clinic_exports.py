"""The whole clinic's data as one file, for the admin: ask for it, follow, stop, download, take away."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.exports import clinic_zip, exports
from service.domain.foundation.errors import NotFound
from service.http import context, downloads
from service.web.exports import export_pages

blueprint = Blueprint("clinic_exports", __name__)


@blueprint.get("/clinic-exports")
def index() -> ResponseReturnValue:
    """What one gets, the button, and the latest files."""
    latest = exports.latest(context.reading(), context.actor(), None)
    return render_template(
        "exports/clinic/index.html",
        exports=[export_pages.shown(export) for export in latest],
        left_out=clinic_zip.left_out(),
    )


@blueprint.post("/clinic-exports")
def create() -> ResponseReturnValue:
    """Start the export, or go to the one that is under way."""
    with context.transaction() as session:
        export_id = exports.request_of_clinic(session, context.actor()).id
    context.wiring().queue.export_clinic(export_id)
    return redirect(url_for("clinic_exports.show", export_id=export_id), 303)


@blueprint.get("/clinic-exports/<export_id:export_id>")
def show(export_id: str) -> ResponseReturnValue:
    """How far it is; refreshes itself until it is done."""
    export = exports.fetch(context.reading(), context.actor(), export_id)
    if export.patient_id is not None:
        raise NotFound
    return render_template("exports/clinic/show.html", export=export_pages.shown(export))


@blueprint.get("/clinic-exports/<export_id:export_id>/file")
def file(export_id: str) -> ResponseReturnValue:
    """The finished file, as an attachment."""
    return downloads.send(context.actor(), export_id)


@blueprint.post("/clinic-exports/<export_id:export_id>/cancellation")
def cancel(export_id: str) -> ResponseReturnValue:
    """Stop an export that is not finished."""
    with context.transaction() as session:
        exports.cancel(session, context.actor(), export_id)
    return redirect(url_for("clinic_exports.show", export_id=export_id), 303)


@blueprint.post("/clinic-exports/<export_id:export_id>/removal")
def revoke(export_id: str) -> ResponseReturnValue:
    """Take the finished file away before its time."""
    export_pages.take_away(export_id)
    return redirect(url_for("clinic_exports.show", export_id=export_id), 303)
