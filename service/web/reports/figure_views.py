"""Figures as their templates want them: days as days, hours that were open or busy, shares in hundredths."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from service.domain.reports.live_figures import DayLoad, DoctorLoad, Load, Stamp
from service.http import context
from service.web.reports.report_views import percent, shown_hours

SHADES = 5


def common(stats: Stamp) -> dict[str, Any]:
    """How old the figures are, and the figures themselves."""
    as_of = datetime.fromisoformat(stats["as_of"])
    seconds = context.wiring().settings.cache.statistics_seconds
    return {"figures": stats, "as_of": as_of, "next_at": as_of + timedelta(seconds=seconds)}


def week(days: Sequence[DayLoad]) -> dict[str, Any]:
    """The next days with their bars, and all of them together."""
    together: Load = {
        "booked": sum(day["booked"] for day in days),
        "booked_minutes": sum(day["booked_minutes"] for day in days),
        "open_minutes": sum(day["open_minutes"] for day in days),
    }
    longest = max(max(day["booked_minutes"], day["open_minutes"]) for day in days)
    return {
        "days": [{**_load(day, longest), "date": date.fromisoformat(day["date"])} for day in days],
        "together": _load(together, 0),
    }


def doctors(rows: Sequence[DoctorLoad]) -> list[dict[str, Any]]:
    """Each doctor's load with its bar."""
    longest = max((max(row["booked_minutes"], row["open_minutes"]) for row in rows), default=0)
    return [{**row, **_load(row, longest)} for row in rows]


def _load(row: Load, longest: int) -> dict[str, Any]:
    """Appointments, minutes and how full that is; `booked_bar` and `open_bar` in hundredths of the longest."""
    booked, opened = row["booked_minutes"], row["open_minutes"]
    return {
        "booked": row["booked"],
        "booked_minutes": booked,
        "open_minutes": opened,
        "full": percent(booked, opened),
        "booked_bar": round(100 * booked / longest, 1) if longest else 0,
        "open_bar": round(100 * opened / longest, 1) if longest else 0,
    }


def heat(grid: Sequence[Sequence[int]]) -> dict[str, Any] | None:
    """The heat map: the hours in which anything was, a line for each weekday with counts and shades 0 to 5."""
    hours = shown_hours([sum(line[hour] for line in grid) for hour in range(24)])
    most = max(max(line) for line in grid)
    if not most:
        return None
    formats = context.formats()
    weekday, hour = next((day, hour) for day, line in enumerate(grid) for hour in hours if line[hour] == most)
    return {
        "hours": [formats.hour(hour) for hour in hours],
        "lines": [
            (formats.weekday(day, short=True), [(line[hour], -(-SHADES * line[hour] // most)) for hour in hours])
            for day, line in ((day, grid[day]) for day in formats.week)
        ],
        "busiest": (formats.weekday(weekday), formats.time(time(hour)), most),
    }
