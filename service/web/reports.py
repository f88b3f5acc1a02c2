"""Monthly reports: a doctor's own, all of them for the admin."""

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from service import clock, context, rendering
from service.domain import reports
from service.domain.actor import Role
from service.jobs import schedule
from service.models import Report
from service.settings import ROOT
from service.translation import gettext as _

blueprint = Blueprint("reports", __name__)
STYLE = ROOT / "static" / "css" / "report.css"


@blueprint.get("/reports")
def index() -> ResponseReturnValue:
    """The archive, newest month first."""
    actor = context.actor()
    rows, older = reports.archive(context.reading(), actor, request.args.get("before"))
    return render_template(
        "reports/list.html",
        reports=[_line(row) for row in rows],
        show_doctor=actor.role == Role.ADMIN,
        next_at=_next_at(),
        older_url=url_for("reports.index", before=older) if older else None,
    )


@blueprint.get("/reports/<row_id:report_id>")
def show(report_id: int) -> ResponseReturnValue:
    """One report."""
    row = _opened(report_id, "report.view")
    file_url = url_for("reports.file", report_id=report_id)
    return render_template("reports/show.html", report=_full(row), file_url=file_url)


@blueprint.get("/reports/<row_id:report_id>/file")
def file(report_id: int) -> ResponseReturnValue:
    """The report as one HTML file that stands alone; always an attachment."""
    row = _opened(report_id, "report.download")
    clinic = context.wiring().settings.clinic
    jinja = rendering.environment(clinic.zone, clinic.language)
    style = Markup(_style(STYLE))  # noqa: S704 our own file
    text = jinja.get_template("reports/file.html").render(report=_full(row), clinic=clinic, style=style)
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Disposition"] = f"attachment; filename=report-{row.month}.html"
    return answer


def _opened(report_id: int, act: str) -> Report:
    actor = context.actor()
    row = reports.fetch(context.reading(), actor, report_id)
    with context.transaction_if_possible(act) as session:
        reports.note_opened(session, actor, report_id, act)
    return row


def _style(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _line(row: Report) -> dict[str, Any]:
    return {
        "id": row.id,
        "month": reports.month_of(row),
        "doctor_name": row.doctor.name,
        "visits": row.visits,
        "created_at": row.created_at,
    }


def _full(row: Report) -> dict[str, Any]:
    """The stored content with its times as times and its outcomes in words."""
    content = row.content
    labels = {
        "completed": _("Completed"),
        "no_show": _("No-show"),
        "cancelled": _("Cancelled"),
        "to_complete": _("No outcome yet"),
    }

    def timed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**line, "starts_at": reports.instant(line["starts_at"])} for line in rows]

    return {
        "id": row.id,
        "month": reports.month_of(row),
        "doctor_name": content["doctor_name"],
        "department": content["department"],
        "created_at": row.created_at,
        "summary": [{"label": labels[key], "count": number} for key, number in content["outcomes"].items()],
        "visits_total": len(content["visits"]),
        "patients_seen": content["patients_seen"],
        "visits": timed(content["visits"]),
        "treatments": timed(content["treatments"]),
    }


def _next_at() -> Any:
    settings = context.wiring().settings
    row = next(row for row in schedule.table(settings) if row.job == "generate_monthly_report")
    return schedule.next_due(row, clock.now(), settings.clinic.zone)
