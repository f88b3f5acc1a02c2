"""Downloads of finished exports, for browsers and API clients."""

from flask import Response, request, send_file

from service.domain.exports import export_files, exports
from service.domain.exports.export_formats import FORMATS
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Gone
from service.http import context
from service.language.translation import gettext as _


def send(actor: Actor, export_id: str) -> Response:
    """Return the finished file as an attachment, and record the download in the audit log."""
    wiring = context.wiring()
    export = exports.download(context.reading(), actor, export_id)
    made_on = (export.finished_at or export.created_at).astimezone(wiring.settings.clinic.zone).date()
    form = FORMATS[export.format]
    name = "history" if export.patient_id is not None else "clinic"
    try:
        answer = send_file(
            export_files.file_of(wiring.settings.histories, export.id, export.format),
            mimetype=form.media_type,
            as_attachment=True,
            download_name=f"{name}-{made_on.isoformat()}.{form.suffix}",
            max_age=0,
        )
    except FileNotFoundError:
        raise Gone(
            _("The file of this export is no longer available. You can create a new export at any time.")
        ) from None
    if request.method == "GET" and answer.status_code in (200, 206):
        from_start = not answer.content_range or answer.content_range.start == 0
        with context.transaction_if_possible("export.download") as session:
            exports.note_download(session, actor, export_id, from_start=from_start)
    return answer
