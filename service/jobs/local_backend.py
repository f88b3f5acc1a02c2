"""Run jobs in one process: APScheduler's BackgroundScheduler ticks, and thread pools do the work.

The database knows what is due and done, so it does no harm if a trigger fires late, twice, or never. (APScheduler's
monthly cron, for one, skips April 1 where clocks change in March.)
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import date
from threading import Event, Lock, Thread
from time import monotonic
from typing import assert_never
from zoneinfo import ZoneInfo

import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.cron import CronTrigger

from service.jobs import runner, schedule
from service.jobs.clean_up import clean_up
from service.jobs.context import JobContext
from service.jobs.deliver_messages import deliver_messages
from service.jobs.export_patient_history_csv import export_patient_history_csv
from service.jobs.tick import tick
from service.storage.database import DatabaseLost

log = structlog.get_logger()
TICK_SECONDS = 30
CLEAN_UP_EVERY = 20
"""Clean up every 20 ticks: every ten minutes."""


class LocalBackend:
    """The job queue of a clinic on one computer."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._runs = ThreadPoolExecutor(2, "job")
        self._post = ThreadPoolExecutor(1, "post")  # separate, so that a mail server that hangs delays nothing else
        self._exports = ThreadPoolExecutor(context.settings.jobs.export_workers, "export")
        self._clinic_exports = ThreadPoolExecutor(1, "clinic export")
        self._under_way: dict[str, Future[None]] = {}
        self._once_more: set[str] = set()
        self._lock = Lock()
        self._halt = Event()
        self._ticker = Thread(target=self._keep_ticking, name="ticker", daemon=True)
        self._scheduler = BackgroundScheduler(
            timezone=context.zone,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def run(self, run_id: int) -> None:
        """Execute a run in a thread."""
        self._submit(self._runs, f"run {run_id}", lambda: runner.execute(self._context, run_id))

    def export(self, export_id: str) -> None:
        """Write an export in the pool for exports, which starts them in the order of their requests."""
        self._write_export(self._exports, export_id)

    def export_clinic(self, export_id: str) -> None:
        """Write an export of the whole clinic in its own thread."""
        self._write_export(self._clinic_exports, export_id)

    def deliver(self) -> None:
        """Send queued messages in a thread. If it's already sending, it checks again before it ends."""
        self._submit(self._post, "deliver", lambda: deliver_messages(self._context), once_more=True)

    def posted(self) -> None:
        """Send in a thread what was just queued, once the service has started."""
        if self._ticker.is_alive():
            self.deliver()

    def start(self) -> None:
        """Register the schedule and start ticking, at once to catch up."""
        for row in schedule.table(self._context.settings):
            self._scheduler.add_job(self._tick, trigger_of(row, self._context.zone), id=row.job)
        self._scheduler.start()
        self._ticker.start()

    def stop(self, seconds: float) -> bool:
        """Stop ticking. Running work has `seconds` to finish; then it's asked to put itself back."""
        deadline = monotonic() + seconds
        self._halt.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for pool in (self._runs, self._post, self._exports, self._clinic_exports):
            pool.shutdown(wait=False, cancel_futures=True)
        wait(self._futures(), timeout=max(0.0, deadline - monotonic()))
        if self._ticker.is_alive():
            self._ticker.join(1.0)
        self._context.stopping.set()
        return not wait(self._futures(), timeout=1.5).not_done

    def _futures(self) -> list[Future[None]]:
        with self._lock:
            return [future for future in self._under_way.values() if not future.cancelled()]

    def _write_export(self, pool: ThreadPoolExecutor, export_id: str) -> None:
        self._submit(pool, f"export {export_id}", lambda: export_patient_history_csv(self._context, export_id))

    def _submit(
        self, pool: ThreadPoolExecutor, name: str, work: Callable[[], object], *, once_more: bool = False
    ) -> None:
        """Submit work to a pool once. The next tick finds what a stopped pool refuses.

        With `once_more`, work that is already running is done again afterwards, in case it looked too early.
        """
        with self._lock:
            if self._context.stopping.is_set():
                return
            if name in self._under_way:
                self._once_more |= {name} if once_more else set()
                return
            try:
                self._under_way[name] = pool.submit(self._guarded, pool, name, work)
            except RuntimeError:
                log.info("not started: stopping", work=name)

    def _guarded(self, pool: ThreadPoolExecutor, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except DatabaseLost:
            log.warning("not done: the database is lost", work=name)
        except Exception:
            log.exception("work failed", work=name)
        finally:
            with self._lock:
                self._under_way.pop(name, None)
                again = name in self._once_more
                self._once_more.discard(name)
            if again:
                self._submit(pool, name, work)

    def _keep_ticking(self) -> None:
        """Tick now and then every 30 seconds of real time.

        The scheduler can't do this: it waits for a time of day, so it would pause after the clock is set back.
        """
        ticks = 0
        while True:
            self._tick()
            if ticks % CLEAN_UP_EVERY == 0:
                self._clean_up()
            ticks += 1
            if self._halt.wait(TICK_SECONDS):
                return

    def _tick(self) -> None:
        try:
            tick(self._context, self)
        except DatabaseLost:
            return
        except Exception:
            log.exception("tick failed")

    def _clean_up(self) -> None:
        try:
            clean_up(self._context)
        except DatabaseLost:
            return
        except Exception:
            log.exception("clean-up failed")


def trigger_of(row: schedule.Row, zone: ZoneInfo) -> CronTrigger | CalendarIntervalTrigger:
    """Return APScheduler's trigger for a row of the schedule."""
    hour, minute = row.at.hour, row.at.minute
    match row.kind:
        case schedule.Kind.DAILY:
            return CronTrigger(hour=hour, minute=minute, timezone=zone)
        case schedule.Kind.WEEKLY:
            return CronTrigger(day_of_week=row.day - 1, hour=hour, minute=minute, timezone=zone)
        case schedule.Kind.MONTHLY:
            first = date(2024, 1, row.day)
            return CalendarIntervalTrigger(months=1, hour=hour, minute=minute, start_date=first, timezone=zone)
        case _:
            assert_never(row.kind)
