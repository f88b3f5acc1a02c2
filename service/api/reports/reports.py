"""Doctors' monthly reports: a doctor's own, all of them for the admin."""

from flask import Blueprint

from service.api import contract
from service.api.contract import Answer
from service.api.fields import PageQuery
from service.api.reports.bodies import Report, Reports, ReportWithContent
from service.domain.reports import reports
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
    """Show one report; that is on record."""
    actor = bearers.actor()
    answer = Answer(ReportWithContent.model_validate(reports.fetch(context.reading(), actor, report_id)))
    with context.transaction_if_possible("report.view") as session:
        reports.note_opened(session, actor, f"report/{report_id}", "report.view")
    return answer
