"""What each role can read in a doctor's report: doctors everything, administrators figures and names."""

from collections.abc import Sequence
from typing import assert_never

from sqlalchemy.orm import Session

from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.domain.reports import contents, report_kinds
from service.domain.reports.contents import DoctorContent, Row
from service.domain.reports.report_kinds import AnyReport
from service.storage.models import ClinicReport, Report


def doctor_content(actor: Actor, said: Row) -> DoctorContent:
    """Return what the actor can read of a doctor's report or an earlier version.

    Doctors get everything. Administrators get neither treatments nor reasons. Raises NotFound for others.
    """
    content = contents.of_doctor(said)
    match actor.role:
        case Role.DOCTOR:
            return content
        case Role.ADMIN:
            return _without_clinical_texts(content)
        case Role.RECEPTIONIST | Role.PATIENT | Role.SYSTEM:
            raise NotFound
        case never:
            assert_never(never)


def note_opened(session: Session, actor: Actor, report: AnyReport, said: Row, act: str) -> None:
    """Audit that someone opened (`view`) or downloaded (`download`) a report, once for each patient in it.

    `said` is the report itself, or the earlier version that was opened.
    """
    kind = report_kinds.of(report)
    nobody: list[int | None] = [None]
    for patient_id in _listed(report, said) or nobody:
        audit.record(session, actor, f"{kind}.{act}", patient_id=patient_id, subject=f"{kind}/{report.id}")


def _listed(report: AnyReport, said: Row) -> Sequence[int]:
    """Return the ids of the patients in it. The clinic's report has none."""
    match report:
        case Report():
            return sorted({line["patient_id"] for line in contents.of_doctor(said)["visits"]})
        case ClinicReport():
            return []
        case never:
            assert_never(never)


def _without_clinical_texts(content: DoctorContent) -> DoctorContent:
    """Keep names, times, and outcomes. The appointment type is left out, because it may be a clinical finding."""
    shown = content.copy()
    shown.pop("treatments", None)
    shown["visits"] = [line.copy() for line in content["visits"]]
    for line in shown["visits"]:
        line.pop("reason", None)
        line.pop("visit_type", None)
    return shown
