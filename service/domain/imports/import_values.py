"""One cell of a file becomes a date or a time of day, in the ways that clinics' programs write them."""

import re
from collections.abc import Iterable
from datetime import date, time

from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _

EARLIEST_YEAR, LATEST_YEAR = 1880, 2100
MIDNIGHT = r"(?:[T ]00:00(?::00(?:\.0+)?)?)?"
"""Databases write a date as the beginning of its day."""

_iso = re.compile(rf"([0-9]{{4}})[-/.]([0-9]{{1,2}})[-/.]([0-9]{{1,2}}){MIDNIGHT}").fullmatch
_dotted = re.compile(rf"([0-9]{{1,2}})\. ?([0-9]{{1,2}})\. ?([0-9]{{4}}){MIDNIGHT}").fullmatch
_either = re.compile(rf"([0-9]{{1,2}})[/-]([0-9]{{1,2}})[/-]([0-9]{{4}}){MIDNIGHT}").fullmatch
_short = re.compile(r"[0-9]{1,2}[./-] ?[0-9]{1,2}[./-] ?[0-9]{2}").fullmatch
_time = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?::00(?:\.0+)?)?(?: ?(am|pm|a\.m\.|p\.m\.|uhr|h))?", re.I).fullmatch
_moment = re.compile(r"(.+?)(?:T|,? )([0-9]{1,2}[:.][0-9]{2}\b.*)").fullmatch
_wrapped = re.compile(r'="(.*)"', re.S).fullmatch


def plain(cell: str) -> str:
    """The value itself, without the signs by which programs keep a spreadsheet from changing it."""
    found = _wrapped(cell)
    if found:
        return found[1].strip()
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@" else cell


def which_first(cells: Iterable[str]) -> tuple[bool, bool | None]:
    """Whether there are dates such as 03/04/1985, and whether the day comes first in them; None: they do not tell."""
    seen = day = month = False
    for cell in cells:
        found = _either(cell)
        if found:
            seen = True
            day = day or int(found[1]) > 12
            month = month or int(found[2]) > 12
    return seen, None if day == month else day


def is_either(cell: str) -> bool:
    """Whether a date can be read only by who knows if its day or its month comes first."""
    return _either(cell) is not None


def read_date(cell: str, day_first: bool) -> date:
    """A date written 1985-07-02, 02.07.1985, or with the day or the month first 02/07/1985. Raises Invalid."""
    year, month, day = 0, 0, 0
    if found := _iso(cell):
        year, month, day = (int(part) for part in found.groups())
    elif found := _dotted(cell):
        day, month, year = (int(part) for part in found.groups())
    elif found := _either(cell):
        first, second, year = (int(part) for part in found.groups())
        day, month = (first, second) if day_first else (second, first)
    elif _short(cell):
        raise Invalid(_("Write the year with four digits."))
    try:
        read = date(year, month, day)
    except ValueError:
        raise Invalid(_("This is not a date such as 1985-07-02 or 02.07.1985.")) from None
    if not EARLIEST_YEAR <= read.year <= LATEST_YEAR:
        raise Invalid(_("The year of this date can't be right."))
    return read


def read_time(cell: str) -> time:
    """A time of day written 10:30, 10.30 Uhr or 2:15 pm. Raises Invalid."""
    found = _time(cell)
    hour, minute, half = (int(found[1]), int(found[2]), (found[3] or "")[:1].lower()) if found else (24, 0, "")
    if half in ("a", "p"):
        hour = hour % 12 + 12 * (half == "p") if 1 <= hour <= 12 else 24
    if hour > 23 or minute > 59:
        raise Invalid(_("This is not a time of day such as 10:30."))
    return time(hour, minute)


def split_moment(cell: str) -> tuple[str, str]:
    """The date and the time in one cell such as `2026-05-06 10:30` or `06.05.2026, 10:30`; no time, no second text."""
    found = _moment(cell)
    return (found[1], found[2]) if found else (cell, "")
