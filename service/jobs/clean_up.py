"""Remove what has expired: exports, stray files, old rows, and files that may name an erased patient."""

from collections.abc import Sequence
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import api_tokens, known_browsers, sessions, unsent_forms
from service.domain.diary import day_sheet_files
from service.domain.exports import export_files, export_ledger
from service.domain.foundation import idempotency, installation, job_runs, throttle
from service.domain.imports import import_files
from service.domain.messages import message_links, messages
from service.domain.patients import patients
from service.jobs.context import JobContext

log = structlog.get_logger()


def clean_up(context: JobContext) -> None:
    """Remove rows that no longer count and files without a row.

    Does nothing while the clock is in doubt: if it's ahead, everything looks old.
    """
    with context.database.reading() as session:
        in_doubt = installation.clock_in_doubt(session) is not None
    if not in_doubt:
        _clean_up(context)


def clean_up_after_erasure(context: JobContext) -> None:
    """Remove files that may name someone who was erased, and empty the database's log.

    Failures are logged: the erasure itself is done, and the next clean-up tries again.
    """
    try:
        _clean_up(context)
        context.database.forget()
    except (DBAPIError, OSError):
        log.exception("files not removed after an erasure")


def _clean_up(context: JobContext) -> None:
    _prune_rows(context)
    _remove(_stray_files(context))
    _forget_erased(context)
    _purge_messages(context)


def _prune_rows(context: JobContext) -> None:
    def prune(session: Session) -> None:
        throttle.prune(session)
        job_runs.prune(session, context.settings.privacy.job_runs_days)
        sessions.prune(session)
        known_browsers.prune(session)
        api_tokens.prune(session)
        idempotency.prune(session)
        unsent_forms.prune(session)
        message_links.prune(session)

    context.database.write(prune)


def _stray_files(context: JobContext) -> list[Path]:
    """Expire exports, and return the files of exports, day sheets, and imports to remove."""
    folder = export_files.folder_of(context.settings)
    exports = [file for file in folder.iterdir() if file.is_file()]  # first: a file made later has a row

    def unclaimed(session: Session) -> list[Path]:
        export_ledger.expire(session)
        return [file for file in exports if not export_ledger.has_claim_on_file(session, file.name)]

    stray = context.database.write(unclaimed)
    sheets = day_sheet_files.old(day_sheet_files.folder_of(context.settings), clock.today(context.zone))
    return [*stray, *sheets, *import_files.old(context.settings.imports)]


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError:  # being downloaded (Windows) or not ours: go on with the others
            log.exception("file not removed", file=file.name)
    if files:
        log.info("files removed", count=len(files))


def _purge_messages(context: JobContext) -> None:
    more = True
    while more and not context.stopping.is_set():
        more = context.database.write(lambda session: messages.purge(session, context.settings.messages))


def _forget_erased(context: JobContext) -> None:
    """Remove day sheets and pending imports from before the last erasure: each may name an erased person.

    Today's sheet is written again, in case the power fails today.
    """
    with context.database.reading() as session:
        erasure = patients.latest_erasure(session)
    if erasure is None:
        return
    sheets = day_sheet_files.written_before(day_sheet_files.folder_of(context.settings), erasure)
    today = clock.today(context.zone)
    todays = [file for file in sheets if file.name.startswith(today.isoformat())]
    uploads = import_files.waiting_since_before(context.settings.imports, erasure)
    _remove([*(file for file in sheets if file not in todays), *uploads])
    if todays:
        with context.database.reading() as session:
            day_sheet_files.write(session, today, context.settings)
