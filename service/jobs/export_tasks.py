"""Writing exports, as every backend does it: claim, produce over a connection of its own, settle; and clearing up."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic

import structlog
from sqlalchemy.exc import DBAPIError

from service.config.settings import Settings
from service.domain.exports import export_files, export_ledger
from service.domain.exports.export_ledger import Claim
from service.jobs import leases
from service.jobs.failing import Stopped, why
from service.storage import database
from service.storage.database import Database

log = structlog.get_logger()
PROGRESS_AFTER = 0.5
NO_ROOM = "there is not enough room on the disk"


class NoRoom(Exception):
    """The disk is too full to begin."""


class ExportTasks:
    """The export work of one process; `owner` is its name in claims."""

    def __init__(self, db: Database, settings: Settings, owner: str, stopping: Event) -> None:
        self._db = db
        self._settings = settings
        self._owner = owner
        self._stopping = stopping

    def write(self, export_id: str) -> None:
        """Write one export's file, whole or not at all, and say so in its row."""
        with self._db.transaction() as session:
            claim = export_ledger.claim(session, export_id, self._owner)
        if claim is None:
            self._clear(export_id)
            return
        try:
            with leases.kept(lambda: self._renew(export_id)):
                rows = self._produce(export_id, claim)
            with self._db.transaction() as session:
                hours = self._settings.exports.keep_hours
                settled = export_ledger.settle(session, export_id, self._owner, rows, hours)
            if not settled:
                self._clear(export_id)
        except Stopped:
            log.info("export stopped", export=export_id)
            with self._db.transaction() as session:
                export_ledger.put_back(session, export_id, self._owner)
        except Exception as error:
            self._give_up(export_id, error)

    def folder(self) -> Path:
        """The folder of finished exports, made when it is missing, closed to other users of the computer."""
        folder = self._settings.histories
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def close_folder(self) -> None:
        """Take the folder from other users of the computer, should somebody have opened it to them."""
        folder = self.folder()
        with suppress(OSError):  # somebody else's, or a disk without such rights
            folder.chmod(0o700)

    def stray_files(self) -> list[Path]:
        """Expire what has had its time; returns the files that no row stands for any more."""
        files = [file for file in self.folder().iterdir() if file.is_file()]  # first: a file made later has a row
        with self._db.transaction() as session:
            export_ledger.expire(session)
            return [file for file in files if not export_ledger.has_claim_on_file(session, file.name)]

    def _produce(self, export_id: str, claim: Claim) -> int:
        folder, clinic = self.folder(), self._settings.clinic
        file = export_files.file_of(folder, export_id, claim.contents.format)
        export_files.remove_parts(file)
        with self._db.reading_long() as session:
            if not export_files.has_room(session, claim.patient_id, claim.contents, folder):
                raise NoRoom
            count = partial(export_files.count, session, claim.patient_id, claim.contents)
            progress = self._progress(export_id, count)
            return export_files.produce(session, claim.patient_id, claim.contents, file, clinic, progress)

    def _renew(self, export_id: str) -> bool:
        with self._db.transaction() as session:
            return export_ledger.renew(session, export_id, self._owner)

    def _progress(self, export_id: str, count: Callable[[], int]) -> Callable[[int], None]:
        """What an export tells of its rows, noted every half second; they are counted once there is a need to know."""
        noted, total = monotonic(), None

        def progress(rows: int) -> None:
            nonlocal noted, total
            if self._stopping.is_set():
                raise Stopped
            if monotonic() - noted < PROGRESS_AFTER:
                return
            total = count() if total is None else total
            noted = monotonic()
            try:
                with self._db.transaction(wait=False) as session:
                    if not export_ledger.note_progress(session, export_id, self._owner, rows, total):
                        raise Stopped
            except DBAPIError as error:
                if not database.is_busy(error):
                    raise
                log.info("progress not noted", export=export_id)  # it is only for show

        return progress

    def _give_up(self, export_id: str, error: Exception) -> None:
        log.error("export failed", export=export_id, exc_info=error)
        busy = isinstance(error, DBAPIError) and database.is_busy(error)
        with self._db.transaction() as session:
            if busy:  # it may go well in a moment
                export_ledger.put_back(session, export_id, self._owner)
            else:
                reason = NO_ROOM if isinstance(error, NoRoom) else why(error)
                export_ledger.fail(session, export_id, self._owner, reason)

    def _clear(self, export_id: str) -> None:
        """Remove what attempts at a failed or stopped export left: a killed one its part, a fast one its file."""
        with self._db.reading() as session:
            format = export_ledger.given_up(session, export_id)
        if format is not None:
            file = export_files.file_of(self.folder(), export_id, format)
            export_files.remove_parts(file)
            file.unlink(missing_ok=True)
