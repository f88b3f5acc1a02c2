"""The only source of "now" and "today": UTC inside, the clinic's time zone at the edges."""

import os
import re
import sysconfig
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

MINUTES_OF_A_DAY = 24 * 60


@dataclass(frozen=True, order=True)
class DayTime:
    """A wall-clock time, in minutes since midnight at the start of its day.

    Midnight at the end of the day is 24:00, and 2:00 the next morning is 26:00: hours that cross midnight belong to
    the day on which they start.
    """

    minutes: int

    @classmethod
    def at(cls, hour: int, minute: int = 0) -> Self:
        """Return the time that many hours and minutes after midnight."""
        return cls(hour * 60 + minute)

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse `HH:MM`, from 00:00 to 24:00. Raises ValueError for anything else."""
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text, re.ASCII):
            raise ValueError(text)
        return cls.at(int(text[:2]), int(text[3:]))

    def until(self, shown: "DayTime") -> "DayTime":
        """Return the end of hours that start at this time, given its clock time: on the next day if that is earlier."""
        is_next_day = shown < self or shown.minutes == 0
        return DayTime(shown.minutes + MINUTES_OF_A_DAY) if is_next_day else shown

    @property
    def is_next_day(self) -> bool:
        """Return whether it's on the next day. Midnight doesn't count."""
        return self.minutes > MINUTES_OF_A_DAY

    @property
    def shown(self) -> str:
        """Return what a clock shows at that time; 24:00 at midnight at the end of the day."""
        return str(DayTime(self.minutes - MINUTES_OF_A_DAY) if self.is_next_day else self)

    def on(self, day: date) -> datetime:
        """Return the local date and time, for hours that belong to `day`."""
        return datetime.combine(day, time()) + timedelta(minutes=self.minutes)

    def instant(self, day: date, zone: ZoneInfo) -> datetime:
        """Return the UTC instant, for hours that belong to `day`. A time that clocks skip is moved an hour later."""
        return (datetime.combine(day, time(), zone) + timedelta(minutes=self.minutes)).astimezone(UTC)

    def __str__(self) -> str:
        """Return `HH:MM`, which may be past 24:00."""
        return f"{self.minutes // 60:02}:{self.minutes % 60:02}"


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(UTC)


def today(zone: ZoneInfo) -> date:
    """Return the current date in the clinic's zone."""
    return now().astimezone(zone).date()


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a wall-clock time. A time that clocks skip is moved an hour later."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start of a clinic day and of the next one, in UTC (23, 24, or 25 hours apart)."""
    return instant(day, time(), zone), instant(day + timedelta(days=1), time(), zone)


def first_of_month(month: str) -> date:
    """Return the first day of a month written `YYYY-MM`. Raises ValueError for anything else."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC).date()
    if month != f"{first:%Y-%m}":
        raise ValueError(month)
    return first


def next_month(first: date) -> date:
    """Return the first day of the next month."""
    return (first + timedelta(days=31)).replace(day=1)


def previous_month(first: date) -> date:
    """Return the first day of the previous month."""
    return (first - timedelta(days=1)).replace(day=1)


def month_bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the start of a month in the clinic's zone and of the next month, in UTC."""
    first = first_of_month(month)
    return instant(first, time(), zone), instant(next_month(first), time(), zone)


def of_this_computer(zone: ZoneInfo) -> ZoneInfo:
    """Return the zone from the operating system's data, which may be older than ours; ours if there is none."""
    for folder in (sysconfig.get_config_var("TZPATH") or "").split(os.pathsep):
        file = Path(folder) / zone.key
        if folder and file.is_file():
            with file.open("rb") as data:
                return ZoneInfo.from_file(data, key=zone.key)
    return zone
