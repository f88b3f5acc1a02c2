"""The reports of a month: each doctor's, then the clinic's."""

from collections.abc import Sequence
from functools import partial

import structlog

from service.domain.reports import clinic_reports, reports
from service.jobs.context import JobContext, Outcome, Unfinished

log = structlog.get_logger()


def generate_monthly_report(context: JobContext, slot: str) -> Outcome:
    """Make the missing reports of a month (`YYYY-MM`). A failed one doesn't stop the others.

    Raises Unfinished if some failed.
    """
    with context.database.reading() as session:
        due, already = reports.missing(session, slot, context.zone)
    made, failed = _make_doctors_reports(context, slot, due)
    context.checkpoint()
    _make_clinic_report(context, slot)
    if failed:
        raise Unfinished(f"{failed} of {len(due)} reports failed, {made} made")
    return {"month": slot, "made": made, "already": already, "failed": 0}


def _make_doctors_reports(context: JobContext, month: str, due: Sequence[int]) -> tuple[int, int]:
    """Return how many reports were made, and how many failed."""
    made = failed = 0
    for doctor_id in due:
        context.checkpoint()
        try:
            with context.database.reading() as session:
                content = reports.produce(session, doctor_id, month, context.zone)
            made += context.database.write(partial(reports.store, doctor_id=doctor_id, month=month, content=content))
        except Exception:
            log.exception("report failed", doctor_id=doctor_id, month=month)
            failed += 1
    return made, failed


def _make_clinic_report(context: JobContext, month: str) -> None:
    with context.database.reading() as session:
        if not clinic_reports.is_missing(session, month, context.zone):
            return
        content = clinic_reports.produce(session, month, context.zone)
    context.database.write(lambda session: clinic_reports.store(session, month, content))
