"""Runs of jobs: open one by hand, claim it, execute its job under a lease, and record the outcome.

The ledger in the database knows what was done, so a run that is queued twice, late, or never does no harm.
"""

from dataclasses import replace

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.clinic import restored
from service.domain.foundation import job_runs
from service.domain.foundation.job_runs import RunSkip
from service.domain.outbox import channels, reminders
from service.jobs import lease, schedule
from service.jobs.context import JobContext, Outcome, Stopped, explain
from service.storage import database

log = structlog.get_logger()


def open_by_hand(session: Session, settings: Settings, job: str, slot: str | None = None) -> int:
    """Open a run that someone asked for, for the current slot unless another one is given, and return its id.

    Raises schedule.UnknownJob.
    """
    row, zone = schedule.row_of(settings, job), settings.clinic.zone
    day = schedule.present_day(row, clock.today(zone)) if slot is None else schedule.day_of(row, slot)
    asked = schedule.slot(row, day, zone)
    return job_runs.open_manual(session, job, asked.name, due_at=asked.due_at)


def run_by_hand(context: JobContext, job: str, slot: str) -> Outcome | None:
    """Open a run and execute it here, before a tick can take it. Returns what execute() does."""

    def take(session: Session) -> tuple[int, tuple[str, str] | None]:
        run_id = open_by_hand(session, context.settings, job, slot)
        return run_id, job_runs.claim(session, run_id, context.owner)

    run_id, claimed = context.database.write(take)
    return _perform(context, run_id, *claimed) if claimed else None


def execute(context: JobContext, run_id: int) -> Outcome | None:
    """Execute a run, and return its outcome; None if it was not ours, was put back, or failed."""
    claimed = context.database.write(lambda session: job_runs.claim(session, run_id, context.owner))
    return _perform(context, run_id, *claimed) if claimed else None


def note_done(context: JobContext, job: str, outcome: Outcome) -> None:
    """Record in the ledger what a command has done itself, if the job is enabled.

    Does nothing if the database can't be written or has another version.
    """
    is_scheduled = any(row.job == job for row in schedule.table(context.settings))
    if not is_scheduled or database.present_revision(context.database) != database.newest_revision():
        return
    try:
        with context.database.transaction() as session:
            run_id = open_by_hand(session, context.settings, job)
            if job_runs.claim(session, run_id, context.owner):
                job_runs.finish(session, run_id, context.owner, outcome)
    except DBAPIError as error:
        log.warning("run not noted", job=job, why=database.explain(error))


def skip_after_restore(session: Session, settings: Settings) -> None:
    """Skip today's due slots of jobs that send messages: after a restore, they may have run before."""
    now, zone = clock.now(), settings.clinic.zone
    for row in schedule.table(settings):
        if row.told_ahead is None:
            continue
        day = schedule.due_day(row, now, zone)
        for span in row.told_ahead(day):  # appointments of later days that this run has already reminded of
            reminders.plan(session, span, channels.ways(settings))
            restored.in_doubt(session, span.scope)
        if day == clock.today(zone):
            due = schedule.slot(row, day, zone)
            job_runs.leave_out(session, row.job, due.name, due_at=due.due_at, why=RunSkip.RESTORED)


def _perform(context: JobContext, run_id: int, job: str, slot: str) -> Outcome | None:
    def renew() -> bool:
        return context.database.write(lambda session: job_runs.renew(session, run_id, context.owner))

    def put_back(error: str | None = None) -> None:
        context.database.write(lambda session: job_runs.put_back(session, run_id, context.owner, error))

    try:
        with lease.kept(renew) as lost:
            run = schedule.row_of(context.settings, job).run
            outcome = run(replace(context, lease_lost=lost), slot.split(job_runs.BY_HAND)[0])
    except Stopped:
        log.info("job stopped", job=job, slot=slot)
        put_back()
        return None
    except Exception as error:
        log.exception("job failed", job=job, slot=slot)
        put_back(explain(error))
        return None
    try:
        context.database.write(lambda session: job_runs.finish(session, run_id, context.owner, outcome))
    except DBAPIError as error:  # not a failure: it runs again when its lease expires, and finds little to do
        log.warning("run not noted", job=job, slot=slot, why=database.explain(error))
    log.info("job done", job=job, slot=slot)
    return outcome
