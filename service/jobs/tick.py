"""A tick: open the slots that are due, then queue all work that no process is doing."""

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.domain.exports import export_ledger
from service.domain.foundation import installation, job_runs
from service.domain.messages import deliveries
from service.jobs import schedule
from service.jobs.context import JobContext
from service.jobs.queue import JobQueue
from service.storage import database

log = structlog.get_logger()


def tick(context: JobContext, queue: JobQueue) -> None:
    """Open slots that are due, and queue waiting work. Does nothing while the clock is in doubt."""
    if _clock_in_doubt(context):
        return
    _open_due_slots(context)
    _give_up_begun_messages(context)
    _queue_waiting_work(context, queue)
    _note_tick(context)


def release_dead(context: JobContext, owner_prefix: str) -> None:
    """Release at once what earlier processes of this kind had claimed. Call it when starting the only one."""

    def release(session: Session) -> None:
        for ledger in (job_runs, deliveries, export_ledger):
            ledger.release(session, owner_prefix)

    context.database.write(release)


def _clock_in_doubt(context: JobContext) -> bool:
    """Return whether the clock may be wrong. It's logged once."""
    with context.database.reading() as session:
        ran_last = installation.clock_in_doubt(session)
    if ran_last is None:
        context.clock_doubted.clear()
        return False
    if not context.clock_doubted.is_set():
        log.warning(
            "the clock may be wrong: nothing runs or is sent until it is right, or confirmed on the page System",
            shows=clock.now().isoformat(timespec="seconds"),
            ran_last=ran_last.isoformat(timespec="seconds"),
        )
    context.clock_doubted.set()
    return True


def _open_due_slots(context: JobContext) -> None:
    now, zone = clock.now(), context.zone
    with context.database.reading() as session:
        began_at = installation.began_at(session, zone)
    if began_at is None:
        return
    for row in schedule.table(context.settings):
        with context.database.reading() as session:
            last = job_runs.last_slot(session, row.job)
        for slot in schedule.due_slots(row, last, now, zone):
            skip = schedule.reason_to_skip(row, slot, now, zone, began_at)
            trigger = schedule.trigger_of(slot, now)
            with context.database.transaction() as session:
                job_runs.open_slot(session, row.job, slot.name, due_at=slot.due_at, trigger=trigger, skip=skip)


def _give_up_begun_messages(context: JobContext) -> None:
    with context.database.reading() as session:
        begun = deliveries.begun(session)
    if begun:
        context.database.write(deliveries.give_up_begun)


def _queue_waiting_work(context: JobContext, queue: JobQueue) -> None:
    with context.database.reading() as session:
        runs, exports = job_runs.claimable(session), export_ledger.claimable(session)
        messages_wait = deliveries.waiting(session, context.settings)
    for run_id in runs:
        queue.run(run_id)
    for export in exports:
        (queue.export_clinic if export.is_of_clinic else queue.export)(export.id)
    if messages_wait:
        queue.deliver()


def _note_tick(context: JobContext) -> None:
    """Record the heartbeat. If that fails, readiness checks will report it."""
    try:
        context.database.write(installation.note_tick)
    except DBAPIError as error:
        log.warning("tick not noted", why=database.explain(error))
