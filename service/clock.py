"""The only source of "now" and "today": UTC inside, the clinic's zone at the edges."""

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
    """A time on the wall clock, in minutes since the midnight that its day begins with.

    Midnight at the end of the day is 24:00, and two in the morning after it 26:00: hours that cross midnight belong
    to the day on which they begin.
    """

    minutes: int

    @classmethod
    def at(cls, hour: int, minute: int = 0) -> Self:
        """The time so many hours and minutes after midnight."""
        return cls(hour * 60 + minute)

    @classmethod
    def read(cls, text: str) -> Self:
        """The time written `HH:MM`, from 00:00 to 24:00. Raises ValueError for anything else."""
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text, re.ASCII):
            raise ValueError(text)
        return cls.at(int(text[:2]), int(text[3:]))

    def until(self, shown: "DayTime") -> "DayTime":
        """The end of hours that begin now, from what the clock shows then: on the next day if that is earlier."""
        is_next_day = shown < self or shown.minutes == 0
        return DayTime(shown.minutes + MINUTES_OF_A_DAY) if is_next_day else shown

    @property
    def is_next_day(self) -> bool:
        """Whether it lies on the day after, midnight not counted."""
        return self.minutes > MINUTES_OF_A_DAY

    @property
    def shown(self) -> str:
        """What a clock shows then; 24:00 at the midnight that ends the day."""
        return str(DayTime(self.minutes - MINUTES_OF_A_DAY) if self.is_next_day else self)

    def on(self, day: date) -> datetime:
        """The date and the time of the wall clock, for the hours that belong to `day`."""
        return datetime.combine(day, time()) + timedelta(minutes=self.minutes)

    def instant(self, day: date, zone: ZoneInfo) -> datetime:
        """The UTC instant, for the hours that belong to `day`; a time that clocks skip becomes the hour after."""
        return (datetime.combine(day, time(), zone) + timedelta(minutes=self.minutes)).astimezone(UTC)

    def __str__(self) -> str:
        """`HH:MM`, counted on past 24:00."""
        return f"{self.minutes // 60:02}:{self.minutes % 60:02}"


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
