"""What the pages of a doctor's report and of the clinic's share: the page, the file, making it again."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import HiddenField, StringField

from service.config.settings import ROOT
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid
from service.domain.reports import clinic_reports, report_versions
from service.http import context
from service.language import rendering
from service.language.translation import gettext as _
from service.storage.models import ClinicReport, Report
from service.web import notices
from service.web.forms import Form, at_most, required
from service.web.local_times import row_id_of
from service.web.reports import report_views

STYLES = [ROOT / "static" / "css" / name for name in ("report.css", "plots.css")]


class RemakeForm(Form):
    """Why a report is made again; `seen` is the version the admin had open."""

    reason = StringField(_("Why is it made again?"), validators=[required(), at_most(report_versions.LONGEST_REASON)])
    seen = HiddenField()


class Kind(NamedTuple):
    """Where the pages of a kind of report are."""

    name: str
    blueprint: str

    def url(self, page: str, report: Report | ClinicReport, **more: Any) -> str:
        """The address of one of its pages."""
        return url_for(f"{self.blueprint}.{page}", report_id=report.id, **more)


def kind_of(report: Report | ClinicReport) -> Kind:
    """A doctor's report, or the clinic's."""
    return Kind("doctor", "reports") if isinstance(report, Report) else Kind("clinic", "clinic_reports")


def page(report: Report | ClinicReport, form: RemakeForm | None = None) -> str:
    """The page of a report, or with `?version=` of what it said before it was made again. Raises NotFound."""
    session, actor, kind = context.reading(), context.actor(), kind_of(report)
    content, version = report.content, None
    if "version" in request.args:
        version = report_versions.fetch(session, report, row_id_of(request.args["version"]) or 0)
        content = version.content
    form = form or RemakeForm(data={"seen": report.created_at.isoformat()})
    return render_template(
        f"reports/{kind.name}.html",
        report=_view(report, content),
        made_at=version.created_at if version else report.created_at,
        version=version,
        versions=[
            {"row": one, "url": kind.url("show", report, version=one.id)} for one in report_versions.of(session, report)
        ],
        form=form,
        may_remake=actor.role == Role.ADMIN and version is None,
        urls={name: kind.url(name, report) for name in ("show", "file", "remake")},
        links=True,
        reports_of=_links(report),
    )


def attachment(report: Report | ClinicReport) -> Response:
    """The report as one HTML file that stands alone: the style inside, no link, always an attachment."""
    clinic, kind = context.wiring().settings.clinic, kind_of(report)
    answer = Response(
        standing_alone(kind.name, _view(report, report.content), clinic, made_at=report.created_at),
        mimetype="text/html",
    )
    name = "report" if kind.name == "doctor" else "clinic-report"
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{report.month}.html"
    return answer


def standing_alone(kind: str, view: Mapping[str, Any], clinic: Any, *, made_at: Any) -> str:
    """The text of the file."""
    jinja = rendering.environment(clinic.zone, clinic.language)
    style = Markup("\n".join(file.read_text(encoding="utf-8") for file in STYLES))  # noqa: S704 our own files
    template = jinja.get_template(f"reports/{kind}_file.html")
    return template.render(report=view, clinic=clinic, style=style, made_at=made_at, links=False, reports_of={})


def remake(report: Report | ClinicReport, content: dict[str, Any], visits: int) -> ResponseReturnValue:
    """Put the new content in its place; without a good reason the page again, with what was typed."""
    form, kind = RemakeForm(request.form), kind_of(report)
    if form.validate():
        try:
            with context.transaction() as session:
                report_versions.replace(
                    session,
                    context.actor(),
                    report,
                    content=content,
                    visits=visits,
                    reason=form.reason.data or "",
                    seen=form.seen.data or "",
                )
        except Invalid as error:
            form.refuse(error)
        else:
            notices.say("report_remade")
            return redirect(kind.url("show", report), 303)
    return page(report, form), 422


def _view(report: Report | ClinicReport, content: Mapping[str, Any]) -> dict[str, Any]:
    clinic = context.wiring().settings.clinic
    if isinstance(report, Report):
        return report_views.of_doctor(report, content, clinic)
    return report_views.of_clinic(report, content, clinic)


def _links(report: Report | ClinicReport) -> dict[int, str]:
    """Where the clinic's report leads: doctor's id -> the page of their report."""
    if isinstance(report, Report):
        return {}
    found = clinic_reports.doctors_reports(context.reading(), report.month)
    return {doctor_id: url_for("reports.show", report_id=report_id) for doctor_id, report_id in found.items()}
