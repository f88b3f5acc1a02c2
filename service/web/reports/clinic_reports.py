"""The clinic's monthly reports, for the admin."""

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from service.domain.reports import clinic_reports
from service.http import context
from service.storage.models import ClinicReport
from service.web.reports import report_pages

blueprint = Blueprint("clinic_reports", __name__)


@blueprint.get("/clinic-reports/<row_id:report_id>")
def show(report_id: int) -> ResponseReturnValue:
    """The clinic's report of a month."""
    return report_pages.page(_fetch(report_id))


@blueprint.get("/clinic-reports/<row_id:report_id>/file")
def file(report_id: int) -> Response:
    """The same as a file that stands alone."""
    return report_pages.attachment(_fetch(report_id))


@blueprint.post("/clinic-reports/<row_id:report_id>/remake")
def remake(report_id: int) -> ResponseReturnValue:
    """Count it again, on purpose and with a reason."""
    row = _fetch(report_id)
    content = clinic_reports.produce(context.reading(), row.month, context.wiring().settings.clinic.zone)
    return report_pages.remake(row, content, content["figures"]["visits"])


def _fetch(report_id: int) -> ClinicReport:
    return clinic_reports.fetch(context.reading(), context.actor(), report_id)
