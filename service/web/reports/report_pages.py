"""What the pages of a doctor's report and of the clinic's share: the page, the file, making it again."""

from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from wtforms import HiddenField, StringField

from service.config.settings import ROOT
from service.domain.foundation.actor import Role
from service.domain.foundation.errors import Invalid
from service.domain.reports import clinic_reports, contents, readers, report_kinds, report_versions
from service.domain.reports.contents import Content, Row
from service.domain.reports.report_kinds import AnyReport, Kind
from service.http import context
from service.language import rendering
from service.language.translation import lazy_gettext as _l
from service.language.translation import speaking
from service.storage.models import ClinicReport, Report
from service.web import notices
from service.web.forms import Form, at_most, required
from service.web.local_times import row_id_of
from service.web.reports import report_views

STYLES = [ROOT / "static" / "css" / name for name in ("report.css", "plots.css")]


class RemakeForm(Form):
    """Why a report is made again; `seen` is the version the admin had open."""

    reason = StringField(
        _l("Reason for making it again"), validators=[required(), at_most(report_versions.LONGEST_REASON)]
    )
    seen = HiddenField()


class Place(NamedTuple):
    """Where the pages of a kind of report are."""

    template: str
    blueprint: str

    def url(self, page: str, report: AnyReport, **more: Any) -> str:
        """The address of one of its pages."""
        return url_for(f"{self.blueprint}.{page}", report_id=report.id, **more)


PLACES: Mapping[Kind, Place] = {
    Kind.DOCTOR: Place("doctor", "reports"),
    Kind.CLINIC: Place("clinic", "clinic_reports"),
}


def page(report: AnyReport, form: RemakeForm | None = None) -> str:
    """Show a report or, with `?version=`, an earlier version, and audit it.

    Raises NotFound.
    """
    session, actor, place = context.reading(), context.actor(), PLACES[report_kinds.of(report)]
    version = None
    if "version" in request.args:
        version = report_versions.fetch(session, report, row_id_of(request.args["version"]) or 0)
    form = form or RemakeForm(data={"seen": report.created_at.isoformat()})
    shown = render_template(
        f"reports/{place.template}.html",
        report=_view(report, version or report),
        made_at=version.created_at if version else report.created_at,
        version=version,
        versions=[
            {"row": one, "url": place.url("show", report, version=one.id)}
            for one in report_versions.of(session, report)
        ],
        form=form,
        may_remake=actor.role == Role.ADMIN and version is None,
        urls={name: place.url(name, report) for name in ("show", "file", "remake")},
        links=True,
        reports_of=_links(report),
    )
    _note(report, version or report, "view")
    return shown


def attachment(report: AnyReport) -> Response:
    """Send the report as one self-contained HTML file, always as an attachment, and audit it."""
    clinic, kind = context.wiring().settings.clinic, report_kinds.of(report)
    with speaking(clinic.language):
        text = standing_alone(kind, _view(report, report), clinic, made_at=report.created_at)
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Disposition"] = f"attachment; filename={kind}-{report.month}.html"
    _note(report, report, "download")
    return answer


def standing_alone(kind: Kind, view: Mapping[str, Any], clinic: Any, *, made_at: Any) -> str:
    """The text of the file."""
    jinja = rendering.environment(clinic)
    style = Markup("\n".join(file.read_text(encoding="utf-8") for file in STYLES))  # noqa: S704 our own files
    template = jinja.get_template(f"reports/{PLACES[kind].template}_file.html")
    return template.render(report=view, clinic=clinic, style=style, made_at=made_at, links=False, reports_of={})


def remake(report: AnyReport, content: Content, visits: int) -> ResponseReturnValue:
    """Put the new content in its place; without a good reason the page again, with what was typed."""
    form, place = RemakeForm(request.form), PLACES[report_kinds.of(report)]
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
            return redirect(place.url("show", report), 303)
    return page(report, form), 422


def _note(report: AnyReport, said: Row, act: str) -> None:
    with context.transaction_if_possible(f"{report_kinds.of(report)}.{act}") as session:
        readers.note_opened(session, context.actor(), report, said, act)


def _view(report: AnyReport, said: Row) -> dict[str, Any]:
    """The report with what it says, or what a version of it said."""
    clinic = context.wiring().settings.clinic
    match report:
        case Report():
            return report_views.of_doctor(report, readers.doctor_content(context.actor(), said), clinic)
        case ClinicReport():
            return report_views.of_clinic(report, contents.of_clinic(said), clinic)
        case never:
            assert_never(never)


def _links(report: AnyReport) -> dict[int, str]:
    """Where the clinic's report leads: doctor's id -> the page of their report."""
    match report:
        case Report():
            return {}
        case ClinicReport():
            found = clinic_reports.doctors_reports(context.reading(), report.month)
            return {doctor_id: url_for("reports.show", report_id=report_id) for doctor_id, report_id in found.items()}
        case never:
            assert_never(never)
