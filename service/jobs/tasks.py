"""The work itself, as every backend runs it: open a transaction, call the domain, commit.

The ledger decides what is done; a task that runs twice, late or never does no harm.
"""

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import ColumnElement, true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock, database
from service.backups import making
from service.backups.errors import BackupError
from service.database import Database
from service.domain import (
    clinic_reports,
    exports,
    history_csv,
    import_files,
    installation,
    job_runs,
    messages,
    reminders,
    reports,
    retention,
    sessions,
    throttle,
)
from service.domain.reminders import Tally
from service.jobs import day_sheet_files, schedule
from service.jobs.queue import JobQueue
from service.notifications.message import Channel, DeliveryError
from service.settings import Settings

log = structlog.get_logger()
RENEW_AFTER = 15.0
PROGRESS_AFTER = 0.5


class Stopped(Exception):
    """The service stops, or the claim was lost: put the work back."""


class Unfinished(Exception):
    """Some of a job's parts failed; those left are tried again."""


class Tasks:
    """All background work of one process; `owner` is its name in leases."""

    def __init__(self, db: Database, settings: Settings, channel: Channel, owner: str) -> None:
        self.owner = owner
        self.stopping = Event()
        self._db = db
        self._settings = settings
        self._channel = channel
        self._zone = settings.clinic.zone
        self._table = schedule.table(settings)
        self._jobs = {
            schedule.BACKUP: self._back_up,
            "write_day_sheets": self._write_sheets,
            "send_daily_reminders": self._remind,
            "generate_monthly_report": self._report,
        }

    # The tick

    def release_dead(self, owner_prefix: str) -> None:
        """At the start of the only process of a kind: what dead ones of it held is free at once."""
        with self._db.transaction() as session:
            for ledger in (job_runs, messages, exports):
                ledger.release(session, owner_prefix)

    def tick(self, queue: JobQueue) -> None:
        """Open the slots that are due, then queue all work that nobody does."""
        now = clock.now()
        for row in self._table:
            with self._db.reading() as session:
                last, began_at = job_runs.last_slot(session, row.job), database.created_at(session)
            for slot in schedule.due_slots(row, last, now, self._zone):
                skip = schedule.reason_to_skip(row, slot, now, self._zone, began_at)
                with self._db.transaction() as session:
                    trigger = schedule.trigger_of(slot, now)
                    job_runs.open_slot(session, row.job, slot.name, due_at=slot.due_at, trigger=trigger, skip=skip)
        with self._db.reading() as session:
            begun = messages.begun(session)
        if begun:
            with self._db.transaction() as session:
                messages.give_up_begun(session)
        with self._db.reading() as session:
            runs, waiting = job_runs.claimable(session), exports.claimable(session)
            overdue = messages.overdue(session)
        for run_id in runs:
            queue.run(run_id)
        for export_id in waiting:
            queue.export(export_id)
        if overdue and not self._settings.messages.hold:
            queue.deliver()
        self._beat()

    def _beat(self) -> None:
        """Note that the scheduler lives; where that cannot be written, the pages that ask say so."""
        try:
            with self._db.transaction() as session:
                installation.note_tick(session)
        except DBAPIError as error:
            log.warning("heartbeat not noted", why=database.explain(error))

    # Jobs of the ledger

    def open_manual(self, session: Session, job: str, slot: str | None = None) -> int:
        """A run somebody asked for, of today's or last month's slot unless another is named; returns its id."""
        row = next(row for row in self._table if row.job == job)
        if slot is None:
            day = clock.today(self._zone)
            slot = day.isoformat() if row.every is schedule.Every.DAY else reports.last_month(self._zone)
        day = date.fromisoformat(slot) if row.every is schedule.Every.DAY else _after(slot).replace(day=row.day)
        return job_runs.open_manual(session, job, slot, due_at=schedule.slot(row, day, self._zone).due_at)

    def run_by_hand(self, job: str, slot: str) -> dict[str, Any] | None:
        """Open a run and do it here; no tick can take it in between. Returns what execute() does."""
        with self._db.transaction() as session:
            run_id = self.open_manual(session, job, slot)
            claimed = job_runs.claim(session, run_id, self.owner)
        return self._perform(run_id, *claimed) if claimed else None

    def execute(self, run_id: int) -> dict[str, Any] | None:
        """Run one turn of a job; returns its outcome, or None when it was not ours, put back, or failed."""
        with self._db.transaction() as session:
            claimed = job_runs.claim(session, run_id, self.owner)
        return self._perform(run_id, *claimed) if claimed else None

    def note_backup(self, made: making.Made) -> None:
        """Write a backup that a command has made into the ledger, where pages look for the last one."""
        if not self._settings.backup.folder or database.present_revision(self._db) != database.newest_revision():
            return
        with self._db.transaction() as session:
            run_id = self.open_manual(session, schedule.BACKUP)
            if job_runs.claim(session, run_id, self.owner):
                job_runs.finish(session, run_id, self.owner, made.as_outcome())

    def _perform(self, run_id: int, job: str, slot: str) -> dict[str, Any] | None:
        try:
            outcome = self._jobs[job](slot.split(job_runs.BY_HAND)[0], self._keeper(run_id))
            with self._db.transaction() as session:
                job_runs.finish(session, run_id, self.owner, outcome)
        except Stopped:
            log.info("job stopped", job=job, slot=slot)
            with self._db.transaction() as session:
                job_runs.put_back(session, run_id, self.owner)
        except Exception as error:
            log.exception("job failed", job=job, slot=slot)
            with self._db.transaction() as session:
                job_runs.put_back(session, run_id, self.owner, _why(error))
        else:
            log.info("job done", job=job, slot=slot)
            return outcome
        return None

    def _keeper(self, run_id: int) -> Callable[[], None]:
        """A function the job calls between its parts: keeps the lease, raises Stopped when it is to end."""
        renewed = monotonic()

        def keep() -> None:
            nonlocal renewed
            if self.stopping.is_set():
                raise Stopped
            if monotonic() - renewed < RENEW_AFTER:
                return
            with self._db.transaction() as session:
                if not job_runs.renew(session, run_id, self.owner):
                    raise Stopped
            renewed = monotonic()

        return keep

    def _back_up(self, slot: str, keep: Callable[[], None]) -> dict[str, Any]:
        """Back the clinic up as it is now, whichever night was meant."""
        return {"date": slot, **making.make(self._db, self._settings, keep=keep).as_outcome()}

    def _write_sheets(self, slot: str, keep: Callable[[], None]) -> dict[str, Any]:
        """Write the day on paper, for the day the power fails; again, it is written anew."""
        day = date.fromisoformat(slot)
        if day < clock.today(self._zone):
            return {"date": slot, "reason": "day_is_over"}
        keep()
        with self._db.reading() as session:
            sheets, visits = day_sheet_files.write(session, day, self._settings)
        return {"date": slot, "sheets": sheets, "visits": visits}

    def _remind(self, slot: str, keep: Callable[[], None]) -> dict[str, Any]:
        """Plan the reminders of a day and send them: `run` is what this call changed, `total` the day so far."""
        day = date.fromisoformat(slot)
        if day < clock.today(self._zone):
            return {"date": slot, "reason": "day_is_over"}
        with self._db.transaction() as session:
            run = reminders.plan(session, day, self._zone, self._channel.name)
        self._deliver(reminders.scope(day, self._zone), keep, run)
        with self._db.reading() as session:
            total = reminders.total(session, day, self._zone)
        run.queued = total.queued
        return {"date": slot, "run": run.as_dict(), "total": total.as_dict()}

    def _report(self, month: str, keep: Callable[[], None]) -> dict[str, Any]:
        """Make the month's report for each doctor who has none, then the clinic's; one that fails stops no other."""
        with self._db.reading() as session:
            due, already = reports.missing(session, month, self._zone)
        made = failed = 0
        for doctor_id in due:
            keep()
            try:
                with self._db.reading() as session:
                    content = reports.produce(session, doctor_id, month, self._zone)
                with self._db.transaction() as session:
                    made += reports.store(session, doctor_id, month, content)
            except Exception:
                log.exception("report failed", doctor_id=doctor_id, month=month)
                failed += 1
        keep()
        with self._db.reading() as session:
            whole = (
                clinic_reports.produce(session, month, self._zone)
                if clinic_reports.is_missing(session, month, self._zone)
                else None
            )
        if whole is not None:
            with self._db.transaction() as session:
                clinic_reports.store(session, month, whole)
        if failed:
            raise Unfinished(f"{failed} of {len(due)} reports failed, {made} made")
        return {"month": month, "made": made, "already": already, "failed": 0}

    # Messages

    def deliver(self) -> None:
        """Send whatever waits in the outbox: after a crash, a pause, an error."""

        def keep() -> None:
            if self.stopping.is_set():
                raise Stopped

        try:
            self._deliver(true(), keep, Tally())
        except Stopped:
            log.info("delivery stopped")

    def _deliver(self, scope: ColumnElement[bool], keep: Callable[[], None], tally: Tally) -> None:
        with self._db.transaction() as session:
            messages.unsure(session)
        while not self._settings.messages.hold:
            keep()
            with self._db.transaction() as session:
                claim = messages.claim(session, self.owner, self._settings.clinic, scope)
            if claim is None:
                return
            tally.skipped["duplicate"] += claim.covered
            if claim.letter is None:
                tally.count(claim.status, claim.skip_reason)
            else:
                tally.count(self._send(claim))

    def _send(self, claim: messages.Claim) -> str:
        """Hand one message to its channel, outside any transaction, and settle it; returns its new status."""

        def before_data() -> None:
            with self._db.transaction() as session:
                if not messages.hand_over(session, claim.id, self.owner):
                    raise Stopped

        assert claim.letter is not None
        try:
            self._channel.send(claim.letter, before_data)
        except DeliveryError as error:
            with self._db.transaction() as session:
                return messages.refused(session, claim.id, self.owner, str(error), permanent=error.permanent)
        except Stopped:
            raise
        except Exception as error:  # what the channel did not foresee stops this message only
            log.error("channel failed", message=claim.id, error=type(error).__name__)
            with self._db.transaction() as session:
                return messages.broken(session, claim.id, self.owner, _why(error))
        with self._db.transaction() as session:
            messages.sent(session, claim.id, self.owner)
        return "sent"

    # Exports

    def export(self, export_id: str) -> None:
        """Write one export's file, whole or not at all, and say so in its row."""
        with self._db.transaction() as session:
            patient_id = exports.claim(session, export_id, self.owner)
        if patient_id is None:
            with self._db.reading() as session:
                given_up = exports.was_given_up(session, export_id)
            if given_up:  # what the last attempt left when it was killed
                exports.remove_parts(exports.file_of(self.histories(), export_id))
            return
        try:
            file = exports.file_of(self.histories(), export_id)
            exports.remove_parts(file)
            with self._db.reading() as session:
                progress = self._progress(export_id, partial(history_csv.count, session, patient_id))
                rows = exports.produce(session, patient_id, file, self._zone, progress)
            with self._db.transaction() as session:
                exports.settle(session, export_id, self.owner, rows, self._settings.exports.keep_hours)
        except Stopped:
            log.info("export stopped", export=export_id)
            with self._db.transaction() as session:
                exports.put_back(session, export_id, self.owner)
        except Exception as error:
            log.exception("export failed", export=export_id)
            busy = isinstance(error, DBAPIError) and database.is_busy(error)
            with self._db.transaction() as session:
                if busy:  # it may go well in a moment
                    exports.put_back(session, export_id, self.owner)
                else:
                    exports.fail(session, export_id, self.owner, _why(error))

    def _progress(self, export_id: str, count: Callable[[], int]) -> Callable[[int], None]:
        """What an export tells of its rows, noted every half second; they are counted once there is a need to know."""
        noted, total = monotonic(), None

        def progress(rows: int) -> None:
            nonlocal noted, total
            if self.stopping.is_set():
                raise Stopped
            if monotonic() - noted < PROGRESS_AFTER:
                return
            total = count() if total is None else total
            noted = monotonic()
            try:
                with self._db.transaction(wait=False) as session:
                    if not exports.note_progress(session, export_id, self.owner, rows, total):
                        raise Stopped
            except DBAPIError as error:
                if not database.is_busy(error):
                    raise
                log.info("progress not noted", export=export_id)  # it is only for show

        return progress

    def histories(self) -> Path:
        """The folder of finished exports, made when it is missing, closed to other users of the computer."""
        folder = self._settings.histories
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def clean_up(self) -> None:
        """Expire exports, remove files no row stands for, old day sheets and uploads, forget what no longer counts."""
        files = [file for file in self.histories().iterdir() if file.is_file()]  # first: a file made later has a row
        with self._db.transaction() as session:
            exports.expire(session)
            throttle.prune(session)
            job_runs.prune(session, self._settings.privacy.job_runs_days)
            retention.apply(session, self._settings.privacy)
            sessions.prune(session)
            stray = [file for file in files if not exports.has_claim_on_file(session, file.name)]
        stray += day_sheet_files.old(day_sheet_files.folder_of(self._settings), clock.today(self._zone))
        stray += import_files.old(self._settings.imports)
        for file in stray:
            try:
                file.unlink(missing_ok=True)
            except OSError:  # somebody downloads it just now (Windows), or it is not ours: the others still go
                log.exception("file not removed", file=file.name)
        if stray:
            log.info("files removed", count=len(stray))

    def forget_files(self, days: Sequence[date]) -> None:
        """After an erasure: the exports that no row stands for, the day sheets of these days, the database's log."""
        self.clean_up()
        today = clock.today(self._zone)
        for file in day_sheet_files.of_days(day_sheet_files.folder_of(self._settings), days):
            file.unlink(missing_ok=True)
        if today in days:  # the one that is needed if the power fails today
            with self._db.reading() as session:
                day_sheet_files.write(session, today, self._settings)
        self._db.forget()


def _why(error: Exception) -> str:
    """An error as the jobs page may show it: never a statement or its values, which may be a patient's."""
    if isinstance(error, DBAPIError):
        return database.explain(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, Unfinished | BackupError) else type(error).__name__


def _after(month: str) -> date:
    """The first day of the month after one written `YYYY-MM`: when its report is due."""
    return clock.next_month(clock.first_of_month(month))
