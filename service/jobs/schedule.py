"""The table of what runs when, and the slots that are due by the clinic's wall clock.

No cron arithmetic: a slot is due once the wall clock has passed its time, however late anybody looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from service import clock
from service.config.settings import Settings
from service.language.translation import gettext as _

LATE = timedelta(minutes=5)
MOST_DAYS_BACK = 31
BACKUP = "make_backup"


class Every(StrEnum):
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class Row:
    """One job of the schedule."""

    job: str
    title: str
    every: Every
    at: time
    day: int = 1
    """Of the month, for monthly jobs."""
    only_today: bool = False
    """Whether a slot of an earlier day is left out, visibly, instead of being caught up."""
    writes_to_people: bool = False
    """Whether it sends messages: after a restore nobody knows which of today's have gone out already."""

    @property
    def words(self) -> str:
        """When it runs, for people."""
        if self.every is Every.DAY:
            return _("every day at %(time)s") % {"time": f"{self.at:%H:%M}"}
        if self.day == 1:
            return _("on the 1st of the month at %(time)s") % {"time": f"{self.at:%H:%M}"}
        return _("on day %(day)s of the month at %(time)s") % {"day": self.day, "time": f"{self.at:%H:%M}"}


@dataclass(frozen=True)
class Slot:
    """One turn of a job: its name in the ledger and the instant it is due, in UTC."""

    name: str
    due_at: datetime


def table(settings: Settings) -> tuple[Row, ...]:
    """The schedule, as the settings have it."""
    jobs, backup = settings.jobs, settings.backup
    at = time.fromisoformat(jobs.reminders_at)
    daily = Row("send_daily_reminders", _("Daily reminders"), Every.DAY, at, only_today=True, writes_to_people=True)
    ahead = replace(daily, job="send_advance_reminders", title=_("Reminders some days ahead"))
    backups = Row(BACKUP, _("Backup"), Every.DAY, time.fromisoformat(backup.at), only_today=True)
    return (
        *((backups,) if backup.folder else ()),
        Row("write_day_sheets", _("Day sheets"), Every.DAY, time.fromisoformat(jobs.sheets_at), only_today=True),
        daily,
        *([ahead] if settings.messages.advance_hours else []),
        Row(
            "generate_monthly_report",
            _("Monthly reports"),
            Every.MONTH,
            time.fromisoformat(jobs.reports_at),
            day=jobs.reports_day,
        ),
    )


def slot(row: Row, day: date, zone: ZoneInfo) -> Slot:
    """The slot that falls due on a day: that day's, or for a monthly job the month that ended before it."""
    name = day.isoformat() if row.every is Every.DAY else f"{clock.previous_month(day.replace(day=1)):%Y-%m}"
    return Slot(name, clock.instant(day, row.at, zone))


def due_day(row: Row, now: datetime, zone: ZoneInfo) -> date:
    """The clinic day on which the job was due last, `now` included."""
    local = now.astimezone(zone)
    day = local.date()
    if row.every is Every.DAY:
        return day if local.time() >= row.at else day - timedelta(days=1)
    this_month = day.replace(day=row.day)
    passed = (day, local.time()) >= (this_month, row.at)
    return this_month if passed else clock.previous_month(day.replace(day=1)).replace(day=row.day)


def next_due(row: Row, now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant the job falls due, in UTC."""
    day = due_day(row, now, zone)
    following = day + timedelta(days=1) if row.every is Every.DAY else clock.next_month(day.replace(day=1))
    return slot(row, following if row.every is Every.DAY else following.replace(day=row.day), zone).due_at


def due_slots(row: Row, last: str | None, now: datetime, zone: ZoneInfo) -> Iterator[Slot]:
    """Slots that fell due after the ledger's `last` one, oldest first, up to the latest; at most a month of days.

    The latest is among them even when the ledger knows a later one: then the clock was ahead for a while.
    """
    latest = due_day(row, now, zone)
    days = [latest]
    while last is not None and slot(row, days[0], zone).name > last and len(days) <= MOST_DAYS_BACK:
        days.insert(0, _before(row, days[0]))
    for day in days:
        found = slot(row, day, zone)
        if last is None or found.name > last or (day == latest and found.name != last):
            yield found


def trigger_of(found: Slot, now: datetime) -> str:
    """Whether a slot opened now is on time or caught up."""
    return "catchup" if now - found.due_at > LATE else "schedule"


def reason_to_skip(row: Row, found: Slot, now: datetime, zone: ZoneInfo, began_at: datetime) -> str | None:
    """Why a due slot is not run but only written down, or None."""
    if found.due_at < began_at:
        return "before_start"
    if row.only_today and found.due_at.astimezone(zone).date() != now.astimezone(zone).date():
        return "day_is_over"
    return None


def _before(row: Row, day: date) -> date:
    if row.every is Every.DAY:
        return day - timedelta(days=1)
    return clock.previous_month(day.replace(day=1)).replace(day=row.day)
