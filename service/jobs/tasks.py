"""The work itself, as every backend runs it: open a transaction, call the domain, commit.

The ledger decides what is done; a task that runs twice, late or never does no harm.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from threading import Event
from typing import Any

import structlog
from sqlalchemy import true
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.backups import making
from service.config.settings import Settings
from service.domain.accounts import api_tokens, sessions, unsent_forms
from service.domain.exports import export_ledger
from service.domain.foundation import idempotency, installation, job_runs, throttle
from service.domain.imports import import_files
from service.domain.messages import deliveries, message_links, messages, morning_sheets
from service.domain.outbox import channels, reminders
from service.domain.outbox.reminders import Tally
from service.domain.reports import clinic_reports, reports
from service.jobs import day_sheet_files, leases, schedule
from service.jobs.delivery import Delivery
from service.jobs.export_tasks import ExportTasks
from service.jobs.failing import Stopped, Unfinished, why
from service.jobs.queue import JobQueue
from service.notifications.channels import Channels
from service.storage import database
from service.storage.database import Database
from service.storage.models import Message

log = structlog.get_logger()


class Tasks:
    """All background work of one process; `owner` is its name in leases."""

    def __init__(self, db: Database, settings: Settings, channels: Channels, owner: str) -> None:
        self.owner = owner
        self.stopping = Event()
        self.exports = ExportTasks(db, settings, owner, self.stopping)
        self._db = db
        self._settings = settings
        self._channels = channels
        self._delivery = Delivery(db, settings, channels, owner)
        self._zone = settings.clinic.zone
        self._doubted = False
        self._table = schedule.table(settings)
        self._jobs = {
            schedule.BACKUP: self._back_up,
            "write_day_sheets": self._write_sheets,
            "send_daily_reminders": self._remind,
            "send_advance_reminders": self._remind_ahead,
            "generate_monthly_report": self._report,
        }

    # The tick

    def release_dead(self, owner_prefix: str) -> None:
        """At the start of the only process of a kind: what dead ones of it held is free at once."""
        with self._db.transaction() as session:
            for let_go in (job_runs.release, deliveries.free, export_ledger.release):
                let_go(session, owner_prefix)

    def tick(self, queue: JobQueue) -> None:
        """Open the slots that are due, then queue all work that nobody does; nothing while the clock is in doubt."""
        if self._clock_in_doubt():
            return
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
            begun = deliveries.begun(session)
        if begun:
            with self._db.transaction() as session:
                deliveries.give_up_begun(session)
        with self._db.reading() as session:
            runs, waiting = job_runs.claimable(session), export_ledger.claimable(session)
            posted = deliveries.waiting(session, self._settings)
        for run_id in runs:
            queue.run(run_id)
        for export in waiting:
            (queue.export_clinic if export.is_of_clinic else queue.export)(export.id)
        if posted:
            queue.deliver()
        self._beat()

    def _clock_in_doubt(self) -> bool:
        """Whether the clock may be wrong; said once in the log each time that begins."""
        with self._db.reading() as session:
            last = installation.clock_in_doubt(session)
        if last is not None and not self._doubted:
            log.warning(
                "the clock may be wrong: nothing runs or is sent until it is right, or confirmed on the page System",
                shows=clock.now().isoformat(timespec="seconds"),
                ran_last=last.isoformat(timespec="seconds"),
            )
        self._doubted = last is not None
        return self._doubted

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
        try:
            with self._db.transaction() as session:
                run_id = self.open_manual(session, schedule.BACKUP)
                if job_runs.claim(session, run_id, self.owner):
                    job_runs.finish(session, run_id, self.owner, made.as_outcome())
        except DBAPIError as error:  # of a database that can only be read a backup is worth most
            log.warning("backup not noted", why=database.explain(error))

    def _perform(self, run_id: int, job: str, slot: str) -> dict[str, Any] | None:
        try:
            with leases.kept(lambda: self._renew(run_id)) as lost:
                outcome = self._jobs[job](slot.split(job_runs.BY_HAND)[0], self._keeper(lost))
            with self._db.transaction() as session:
                job_runs.finish(session, run_id, self.owner, outcome)
        except Stopped:
            log.info("job stopped", job=job, slot=slot)
            with self._db.transaction() as session:
                job_runs.put_back(session, run_id, self.owner)
        except Exception as error:
            log.exception("job failed", job=job, slot=slot)
            with self._db.transaction() as session:
                job_runs.put_back(session, run_id, self.owner, why(error))
        else:
            log.info("job done", job=job, slot=slot)
            return outcome
        return None

    def _renew(self, run_id: int) -> bool:
        with self._db.transaction() as session:
            return job_runs.renew(session, run_id, self.owner)

    def _keeper(self, lost: Callable[[], bool]) -> Callable[[], None]:
        """A function the job calls between its parts: raises Stopped when it is to end, or somebody else has it."""

        def keep() -> None:
            if self.stopping.is_set() or lost():
                raise Stopped

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
        """Remind of a day's visits, and of the next day's early ones."""
        day = date.fromisoformat(slot)
        if day < clock.today(self._zone):
            return {"date": slot, "reason": "day_is_over"}
        outcome = self._tell(reminders.of_day(day, self._zone), keep)
        early = self._tell(reminders.early(day, self._zone), keep)
        if day == clock.today(self._zone):
            self._post_sheet(day, keep)
        next_day = (day + timedelta(days=1)).isoformat()
        return {"date": slot, **outcome, "early": {"date": next_day, **early}}

    def _post_sheet(self, day: date, keep: Callable[[], None]) -> None:
        """Send the morning sheet to the clinic's own address, where it has named one."""
        recipient = self._settings.messages.morning_sheet_to
        if not recipient:
            return
        with self._db.transaction() as session:
            sheet = morning_sheets.post(session, day, recipient).id
        self._delivery.round(Message.id == sheet, keep, Tally())

    def _remind_ahead(self, slot: str, keep: Callable[[], None]) -> dict[str, Any]:
        """Remind of the visits so many hours ahead as the clinic has chosen."""
        day = date.fromisoformat(slot)
        if day < clock.today(self._zone):
            return {"date": slot, "reason": "day_is_over"}
        spans = reminders.ahead(day, self._zone, self._settings.messages.advance_hours)
        days = [self._tell(span, keep) for span in spans]
        return {"date": slot, "run": _sum(days, "run"), "total": _sum(days, "total")}

    def _tell(self, span: reminders.Span, keep: Callable[[], None]) -> dict[str, Any]:
        """Plan the reminders of a span and send them: `run` is what this call changed, `total` the span so far."""
        with self._db.transaction() as session:
            run = reminders.plan(session, span, channels.ways(self._settings))
        self._delivery.round(span.scope, keep, run)
        with self._db.reading() as session:
            total = reminders.total(session, span)
        run.queued = total.queued
        return {"run": run.as_dict(), "total": total.as_dict()}

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
        """Send whatever is due in the outbox."""

        def keep() -> None:
            if self.stopping.is_set():
                raise Stopped

        try:
            self._delivery.round(true(), keep, Tally())
        except Stopped:
            log.info("delivery stopped")

    # Exports

    def export(self, export_id: str) -> None:
        """Write one export's file, whole or not at all, and say so in its row."""
        self.exports.write(export_id)

    def clean_up(self) -> None:
        """Expire exports, remove files no row stands for, old day sheets and uploads; forget what no longer counts.

        Nothing while the clock is in doubt: by a clock that is ahead, everything is old.
        """
        if not self._clock_in_doubt():
            self._clean_up()

    def _clean_up(self) -> None:
        with self._db.transaction() as session:
            throttle.prune(session)
            job_runs.prune(session, self._settings.privacy.job_runs_days)
            sessions.prune(session)
            api_tokens.prune(session)
            idempotency.prune(session)
            unsent_forms.prune(session)
            message_links.prune(session)
        stray = self.exports.stray_files()
        stray += day_sheet_files.old(day_sheet_files.folder_of(self._settings), clock.today(self._zone))
        stray += import_files.old(self._settings.imports)
        for file in stray:
            try:
                file.unlink(missing_ok=True)
            except OSError:  # somebody downloads it just now (Windows), or it is not ours: the others still go
                log.exception("file not removed", file=file.name)
        if stray:
            log.info("files removed", count=len(stray))
        more = True
        while more and not self.stopping.is_set():
            with self._db.transaction() as session:
                more = messages.purge(session, self._settings.messages)

    def forget_files(self, days: Sequence[date]) -> None:
        """After an erasure: the exports that no row stands for, the day sheets of these days, the database's log.

        What fails is logged: the erasure itself is done, and the hourly round and the sheets' 14 days see to the rest.
        """
        try:
            self._forget_files(days)
        except (DBAPIError, OSError):
            log.exception("files not removed after an erasure")

    def _forget_files(self, days: Sequence[date]) -> None:
        self._clean_up()
        today = clock.today(self._zone)
        for file in day_sheet_files.of_days(day_sheet_files.folder_of(self._settings), days):
            file.unlink(missing_ok=True)
        if today in days:  # the one that is needed if the power fails today
            with self._db.reading() as session:
                day_sheet_files.write(session, today, self._settings)
        self._db.forget()


def _sum(days: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The tallies of several days as one."""
    tally = Tally()
    for day in days:
        tally.add(day[key])
    return tally.as_dict()


def _after(month: str) -> date:
    """The first day of the month after one written `YYYY-MM`: when its report is due."""
    return clock.next_month(clock.first_of_month(month))
