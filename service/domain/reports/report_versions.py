"""Store reports: made once by the job, and recomputed only on request, keeping the earlier version."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, contains_eager, undefer

from service import clock
from service.domain.foundation import audit, texts
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.reports import erased_names, report_kinds
from service.domain.reports.contents import Content
from service.domain.reports.report_kinds import AnyReport, Kind
from service.language.translation import gettext as _
from service.storage.models import ClinicReport, Report, ReportVersion

SHOWN = 20
LONGEST_REASON = 200
TABLES: Mapping[Kind, type[AnyReport]] = {Kind.DOCTOR: Report, Kind.CLINIC: ClinicReport}


def store(session: Session, kind: Kind, **values: Any) -> int | None:
    """Store a new report, and return its id; None if another run was faster, whose report stays."""
    table = TABLES[kind]
    erased_names.settle(session, values["content"])
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(created_at=clock.now(), **values).on_conflict_do_nothing().returning(table.id)
    report_id: int | None = session.execute(statement).scalar_one_or_none()
    if report_id is not None:
        audit.record(session, SYSTEM, f"{kind}.make", subject=f"{kind}/{report_id}")
    return report_id


def replace(
    session: Session,
    actor: Actor,
    report: AnyReport,
    *,
    content: Content,
    visits: int,
    reason: str,
    seen: str,
) -> None:
    """Replace a report's content, and keep the earlier version with the reason.

    `seen` is when the report that the administrator had open was made (ISO). Repeating the request does nothing.
    Raises Forbidden, Invalid, and Conflict if someone else has recomputed it meanwhile.
    """
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can have a report made again."))
    why = texts.checked(reason, "reason", LONGEST_REASON)
    if not why:
        raise Invalid(_("Say why. The reason is kept with the report."), "reason")
    erased_names.settle(session, content, also=report.content)
    report = _locked(session, report)
    if report.created_at.isoformat() != seen:
        last = next(iter(of(session, report)), None)
        if last and (last.created_at.isoformat(), last.replaced_by_id, last.reason) == (seen, actor.user_id, why):
            return
        raise Conflict(_("Someone else made this report again in the meantime. Look at it first."))
    session.add(
        ReportVersion(
            **_whose(report),
            content=report.content,
            created_at=report.created_at,
            replaced_at=clock.now(),
            replaced_by_id=actor.user_id,
            reason=why,
        )
    )
    report.content, report.visits, report.created_at = content, visits, clock.now()
    kind = report_kinds.of(report)
    audit.record(session, actor, f"{kind}.remake", subject=f"{kind}/{report.id}")


def _locked(session: Session, report: AnyReport) -> AnyReport:
    """Return the current row, locked until this transaction ends."""
    match report:
        case Report():
            return session.get_one(Report, report.id, with_for_update=True, populate_existing=True)
        case ClinicReport():
            return session.get_one(ClinicReport, report.id, with_for_update=True, populate_existing=True)
        case never:
            assert_never(never)


def of(session: Session, report: AnyReport) -> Sequence[ReportVersion]:
    """Return at most 20 earlier versions, newest first, with the users who replaced them."""
    query = (
        select(ReportVersion)
        .outerjoin(ReportVersion.replaced_by)
        .options(contains_eager(ReportVersion.replaced_by))
        .filter_by(**_whose(report))
    )
    return session.scalars(query.order_by(ReportVersion.id.desc()).limit(SHOWN)).all()


def fetch(session: Session, report: AnyReport, version_id: int) -> ReportVersion:
    """Return an earlier version with its content. Raises NotFound, also for another report's."""
    query = select(ReportVersion).filter_by(**_whose(report)).options(undefer(ReportVersion.content))
    version = session.scalar(query.where(ReportVersion.id == version_id))
    if version is None:
        raise NotFound
    return version


def _whose(report: AnyReport) -> dict[str, Any]:
    match report:
        case Report():
            return {"doctor_id": report.doctor_id, "month": report.month}
        case ClinicReport():
            return {"doctor_id": None, "month": report.month}
        case never:
            assert_never(never)
