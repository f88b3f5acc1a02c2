"""Monthly reports: a doctor's own, or all of them for administrators."""

from flask import Blueprint

from service.api import contract
from service.api.contract import Answer
from service.api.fields import PageQuery
from service.api.reports.bodies import Report, Reports, ReportWithContent
from service.domain.reports import readers, reports
from service.http import bearers, context

blueprint = Blueprint("reports", __name__, url_prefix="/reports")


@blueprint.get("")
@contract.reads(Reports, query=PageQuery, problems=(404,))
def index(query: PageQuery) -> Answer:
    """List reports, newest month first."""
    rows, older = reports.archive(context.reading(), bearers.actor(), query.after)
    return Answer(Reports(items=[Report.model_validate(row) for row in rows], next=older))


@blueprint.get("/<row_id:report_id>")
@contract.reads(ReportWithContent)
def show(report_id: int) -> Answer:
    """Show one report, to the admin without clinical texts; that is on record for each patient it lists."""
    actor = bearers.actor()
    row = reports.fetch(context.reading(), actor, report_id)
    about = Report.model_validate(row).model_dump()
    answer = Answer(ReportWithContent(**about, content=dict(readers.doctor_content(actor, row))))
    with context.transaction_if_possible("report.view") as session:
        readers.note_opened(session, actor, row, row, "view")
    return answer
