"""Write an export of a patient's history or the whole clinic: claim it, write the file, record the result."""

from collections.abc import Callable
from functools import partial
from time import monotonic

import structlog
from sqlalchemy.exc import DBAPIError

from service.domain.exports import export_files, export_ledger
from service.domain.exports.export_ledger import Claim
from service.jobs import lease
from service.jobs.context import JobContext, Stopped, explain
from service.storage import database

log = structlog.get_logger()
PROGRESS_AFTER = 0.5
NO_ROOM = "there is not enough room on the disk"


class NoRoom(Exception):
    """There isn't enough space to start."""


def export_patient_history_csv(context: JobContext, export_id: str) -> None:
    """Write one export's file completely or not at all, in the format its row names, and update the row."""
    claim = context.database.write(lambda session: export_ledger.claim(session, export_id, context.owner))
    if claim is None:
        _clear(context, export_id)
        return
    try:
        rows = _produce(context, export_id, claim)
        hours = context.settings.exports.keep_hours
        settled = context.database.write(
            lambda session: export_ledger.settle(session, export_id, context.owner, rows, hours)
        )
        if not settled:
            _clear(context, export_id)
    except Stopped:
        log.info("export stopped", export=export_id)
        context.database.write(lambda session: export_ledger.put_back(session, export_id, context.owner))
    except Exception as error:
        _give_up(context, export_id, error)


def _produce(context: JobContext, export_id: str, claim: Claim) -> int:
    """Write the file while renewing the lease, and return the number of rows."""
    folder, clinic = export_files.folder_of(context.settings), context.settings.clinic
    file = export_files.file_of(folder, export_id, claim.contents.format)
    with lease.kept(partial(_renew, context, export_id)):
        export_files.remove_parts(file)
        with context.database.reading_long() as session:
            if not export_files.has_room(session, claim.patient_id, claim.contents, folder):
                raise NoRoom
            count = partial(export_files.count, session, claim.patient_id, claim.contents)
            progress = _progress(context, export_id, count)
            return export_files.produce(session, claim.patient_id, claim.contents, file, clinic, progress)


def _renew(context: JobContext, export_id: str) -> bool:
    return context.database.write(lambda session: export_ledger.renew(session, export_id, context.owner))


def _progress(context: JobContext, export_id: str, count: Callable[[], int]) -> Callable[[int], None]:
    """Return a callback that records progress every half second. The total is counted only when needed."""
    noted, total = monotonic(), None

    def progress(rows: int) -> None:
        nonlocal noted, total
        context.checkpoint()
        if monotonic() - noted < PROGRESS_AFTER:
            return
        total = count() if total is None else total
        noted = monotonic()
        try:
            with context.database.transaction(wait=False) as session:
                if not export_ledger.note_progress(session, export_id, context.owner, rows, total):
                    raise Stopped
        except DBAPIError as error:
            if not database.is_busy(error):
                raise
            log.info("progress not noted", export=export_id)  # progress is only informational

    return progress


def _give_up(context: JobContext, export_id: str, error: Exception) -> None:
    log.error("export failed", export=export_id, exc_info=error)
    busy = isinstance(error, DBAPIError) and database.is_busy(error)
    if busy:  # it may work in a moment
        context.database.write(lambda session: export_ledger.put_back(session, export_id, context.owner))
    else:
        reason = NO_ROOM if isinstance(error, NoRoom) else explain(error)
        context.database.write(lambda session: export_ledger.fail(session, export_id, context.owner, reason))


def _clear(context: JobContext, export_id: str) -> None:
    """Remove the partial or finished files of a failed or stopped export."""
    with context.database.reading() as session:
        format = export_ledger.given_up(session, export_id)
    if format is not None:
        file = export_files.file_of(export_files.folder_of(context.settings), export_id, format)
        export_files.remove_parts(file)
        file.unlink(missing_ok=True)
