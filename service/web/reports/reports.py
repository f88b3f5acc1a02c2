"""Doctors' monthly reports: a doctor's own, all of them for the admin; the archive, the clinic's among them."""

from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.foundation import paging
from service.domain.foundation.actor import Role
from service.domain.reports import clinic_reports, reports
from service.http import context
from service.jobs import schedule
from service.jobs.generate_monthly_report import generate_monthly_report
from service.storage.models import Report
from service.web.reports import report_pages, report_views

blueprint = Blueprint("reports", __name__)


@blueprint.get("/reports")
def index() -> ResponseReturnValue:
    """The archive, newest month first."""
    actor, session, before = context.actor(), context.reading(), request.args.get("before")
    rows, older = reports.archive(session, actor, before)
    whole = clinic_reports.of_months(session, actor, {row.month for row in rows})
    return render_template(
        "reports/list.html",
        reports=report_views.lines(rows, whole, paging.read_month(before)[0] if before else None),
        show_doctor=actor.role == Role.ADMIN,
        next_at=_next_at(),
        older_url=url_for("reports.index", before=older) if older else None,
    )


@blueprint.get("/reports/<row_id:report_id>")
def show(report_id: int) -> ResponseReturnValue:
    """One report."""
    return report_pages.page(_fetch(report_id))


@blueprint.get("/reports/<row_id:report_id>/file")
def file(report_id: int) -> Response:
    """One report as a file that stands alone."""
    return report_pages.attachment(_fetch(report_id))


@blueprint.post("/reports/<row_id:report_id>/remake")
def remake(report_id: int) -> ResponseReturnValue:
    """Count a report again, on purpose and with a reason."""
    session, zone = context.reading(), context.wiring().settings.clinic.zone
    row = reports.fetch(session, context.actor(), report_id)
    content = reports.produce(session, row.doctor_id, row.month, zone)
    return report_pages.remake(row, content, len(content["visits"]))


def _fetch(report_id: int) -> Report:
    return reports.fetch(context.reading(), context.actor(), report_id)


def _next_at() -> Any:
    settings = context.wiring().settings
    row = schedule.row_of(settings, generate_monthly_report.__name__)
    return schedule.next_due(row, clock.now(), settings.clinic.zone)
