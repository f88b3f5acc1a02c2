"""The table of jobs: what runs when, with which function, and how long a missed run is caught up.

There is no cron arithmetic: a slot is due once the clinic's wall clock has passed its time, however late we check.
The name of a row's function is the job's name in the ledger and the name of its module.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Protocol, assert_never
from zoneinfo import ZoneInfo

from service import clock
from service.config.settings import Settings
from service.domain.foundation.job_runs import RunSkip
from service.domain.outbox import reminders
from service.domain.outbox.reminders import Span
from service.jobs.context import JobContext, Outcome
from service.jobs.generate_monthly_report import generate_monthly_report
from service.jobs.make_backup import make_backup
from service.jobs.send_advance_reminders import send_advance_reminders
from service.jobs.send_daily_reminders import send_daily_reminders
from service.jobs.write_day_sheets import write_day_sheets
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.storage.models import RunTrigger

LATE = timedelta(minutes=5)
MOST_SLOTS_BACK = 31


class UnknownJob(LookupError):
    """There's no job with this name."""


class Job(Protocol):
    """The function of a job. It gets the name of its slot, never "now"."""

    __name__: str

    def __call__(self, context: JobContext, slot: str) -> Outcome: ...


class Kind(StrEnum):
    """How often a job runs."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class CatchUp(StrEnum):
    """How long a missed slot is still run. Later, it's only recorded as skipped."""

    SAME_DAY = "same_day"
    ALWAYS = "always"


@dataclass(frozen=True)
class Row:
    """A job in the schedule."""

    run: Job
    title: str
    kind: Kind
    at: time
    """In the clinic's time zone."""
    catch_up: CatchUp
    day: int = 1
    """Day of the month (1 to 28) for a monthly job, of the week (1 is Monday) for a weekly one."""
    told_ahead: Callable[[date], Sequence[Span]] | None = None
    """For jobs that send messages: the appointments of later days that a day's run reminds of."""
    is_on: bool = True
    """Whether the settings enable it."""

    @property
    def job(self) -> str:
        """The job's name in the ledger."""
        return self.run.__name__

    def words(self, formats: Formats) -> str:
        """Say when it runs."""
        at = formats.time(self.at)
        match self.kind:
            case Kind.DAILY:
                return _("every day at %(time)s") % {"time": at}
            case Kind.WEEKLY:
                return _("on day %(day)s of the week at %(time)s") % {"day": self.day, "time": at}
            case Kind.MONTHLY if self.day == 1:
                return _("on the 1st of the month at %(time)s") % {"time": at}
            case Kind.MONTHLY:
                return _("on day %(day)s of the month at %(time)s") % {"day": self.day, "time": at}
            case _:
                assert_never(self.kind)


def every_row(settings: Settings) -> tuple[Row, ...]:
    """Return all jobs, including those that the settings disable."""
    jobs, backup = settings.jobs, settings.backup
    backups_at, sheets_at = time.fromisoformat(backup.at), time.fromisoformat(jobs.sheets_at)
    reminders_at, reports_at = time.fromisoformat(jobs.reminders_at), time.fromisoformat(jobs.reports_at)
    return (
        Row(
            make_backup,
            _("Backup"),
            Kind.DAILY,
            backups_at,
            CatchUp.SAME_DAY,
            is_on=bool(backup.folder),
        ),
        Row(write_day_sheets, _("Day sheets"), Kind.DAILY, sheets_at, CatchUp.SAME_DAY),
        Row(
            send_daily_reminders,
            _("Daily reminders"),
            Kind.DAILY,
            reminders_at,
            CatchUp.SAME_DAY,
            told_ahead=lambda day: [reminders.early(day, settings)],
        ),
        Row(
            send_advance_reminders,
            _("Advance reminders"),
            Kind.DAILY,
            reminders_at,
            CatchUp.SAME_DAY,
            told_ahead=lambda day: reminders.ahead(day, settings),
            is_on=bool(settings.messages.advance_hours),
        ),
        Row(
            generate_monthly_report,
            _("Monthly reports"),
            Kind.MONTHLY,
            reports_at,
            CatchUp.ALWAYS,
            day=jobs.reports_day,
        ),
    )


def table(settings: Settings) -> tuple[Row, ...]:
    """Return the jobs that the settings enable."""
    return tuple(row for row in every_row(settings) if row.is_on)


def row_of(settings: Settings, job: str) -> Row:
    """Return a job's row, even if it's disabled, because earlier runs still have to finish. Raises UnknownJob."""
    for row in every_row(settings):
        if row.job == job:
            return row
    raise UnknownJob(job)


@dataclass(frozen=True)
class Slot:
    """A slot of a job: its name in the ledger and the instant it's due, in UTC."""

    name: str
    due_at: datetime


def slot(row: Row, day: date, zone: ZoneInfo) -> Slot:
    """Return the slot that is due on a day: that day, or for a monthly job, the month before."""
    match row.kind:
        case Kind.DAILY | Kind.WEEKLY:
            name = day.isoformat()
        case Kind.MONTHLY:
            name = f"{clock.previous_month(day.replace(day=1)):%Y-%m}"
        case _:
            assert_never(row.kind)
    return Slot(name, clock.instant(day, row.at, zone))


def day_of(row: Row, name: str) -> date:
    """Return the day on which a slot is due. Raises ValueError if the name isn't valid."""
    match row.kind:
        case Kind.DAILY | Kind.WEEKLY:
            return date.fromisoformat(name)
        case Kind.MONTHLY:
            return clock.next_month(clock.first_of_month(name)).replace(day=row.day)
        case _:
            assert_never(row.kind)


def present_day(row: Row, today: date) -> date:
    """Return the day of the current slot for someone who runs the job now, even if it isn't due yet."""
    match row.kind:
        case Kind.DAILY:
            return today
        case Kind.WEEKLY:
            return today - timedelta(days=(today.isoweekday() - row.day) % 7)
        case Kind.MONTHLY:
            return today.replace(day=row.day)
        case _:
            assert_never(row.kind)


def due_day(row: Row, now: datetime, zone: ZoneInfo) -> date:
    """Return the latest clinic day on which the job was due, including now."""
    local = now.astimezone(zone)
    day = present_day(row, local.date())
    return day if (local.date(), local.time()) >= (day, row.at) else _before(row, day)


def next_due(row: Row, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the next instant at which the job is due, in UTC."""
    return slot(row, _after(row, due_day(row, now, zone)), zone).due_at


def due_slots(row: Row, last: str | None, now: datetime, zone: ZoneInfo) -> Iterator[Slot]:
    """Yield the slots that became due after `last`, oldest first, up to the latest; at most a month of days.

    The latest one is included even if the ledger has a later one, which means that the clock was ahead for a while.
    """
    latest = due_day(row, now, zone)
    days = [latest]
    while last is not None and slot(row, days[0], zone).name > last and len(days) <= MOST_SLOTS_BACK:
        days.insert(0, _before(row, days[0]))
    for day in days:
        found = slot(row, day, zone)
        if last is None or found.name > last or (day == latest and found.name != last):
            yield found


def trigger_of(found: Slot, now: datetime) -> RunTrigger:
    """Return whether a slot opened now is on time or caught up."""
    return RunTrigger.CATCHUP if now - found.due_at > LATE else RunTrigger.SCHEDULE


def reason_to_skip(row: Row, found: Slot, now: datetime, zone: ZoneInfo, began_at: datetime) -> RunSkip | None:
    """Return why a due slot is skipped, or None."""
    if found.due_at < began_at:
        return RunSkip.BEFORE_START
    match row.catch_up:
        case CatchUp.SAME_DAY:
            is_over = found.due_at.astimezone(zone).date() != now.astimezone(zone).date()
            return RunSkip.DAY_IS_OVER if is_over else None
        case CatchUp.ALWAYS:
            return None
        case _:
            assert_never(row.catch_up)


def _before(row: Row, day: date) -> date:
    """Return the day of the slot before the one on `day`."""
    match row.kind:
        case Kind.DAILY:
            return day - timedelta(days=1)
        case Kind.WEEKLY:
            return day - timedelta(weeks=1)
        case Kind.MONTHLY:
            return clock.previous_month(day.replace(day=1)).replace(day=row.day)
        case _:
            assert_never(row.kind)


def _after(row: Row, day: date) -> date:
    """Return the day of the slot after the one on `day`."""
    match row.kind:
        case Kind.DAILY:
            return day + timedelta(days=1)
        case Kind.WEEKLY:
            return day + timedelta(weeks=1)
        case Kind.MONTHLY:
            return clock.next_month(day.replace(day=1)).replace(day=row.day)
        case _:
            assert_never(row.kind)
