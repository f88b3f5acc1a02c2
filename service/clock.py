"""The only source of "now" and "today": UTC inside, the clinic's zone at the edges."""

import os
import sysconfig
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def today(zone: ZoneInfo) -> date:
    """The calendar date it is now in the clinic's zone."""
    return now().astimezone(zone).date()


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock time; one that the spring change skips becomes the hour after."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of a clinic day and first instant of the next one, in UTC (23, 24 or 25 hours)."""
    return instant(day, time(), zone), instant(day + timedelta(days=1), time(), zone)


def first_of_month(month: str) -> date:
    """The first day of a month written `YYYY-MM`; ValueError for anything else."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date()
    if month != f"{first:%Y-%m}":
        raise ValueError(month)
    return first


def next_month(first: date) -> date:
    """The first day of the month after the one that `first` begins."""
    return (first + timedelta(days=31)).replace(day=1)


def previous_month(first: date) -> date:
    """The first day of the month before the one that `first` begins."""
    return (first - timedelta(days=1)).replace(day=1)


def month_bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of a calendar month in the clinic's zone and of the next one, in UTC."""
    first = first_of_month(month)
    return instant(first, time(), zone), instant(next_month(first), time(), zone)


def of_this_computer(zone: ZoneInfo) -> ZoneInfo:
    """The zone as the data of this computer's system have it, which may be older than ours; ours where it has none."""
    for folder in (sysconfig.get_config_var("TZPATH") or "").split(os.pathsep):
        file = Path(folder) / zone.key
        if folder and file.is_file():
            with file.open("rb") as data:
                return ZoneInfo.from_file(data, key=zone.key)
    return zone
