"""Parse dates and times of day in the formats of other programs."""

import re
from collections.abc import Iterable
from datetime import date, time

from service.clock import DayTime
from service.domain.foundation.errors import Invalid
from service.language import typed_dates
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.language.typed_dates import AmbiguousYear, Order, Unreadable

EARLIEST_YEAR, LATEST_YEAR = 1880, 2100
NO_CENTURY = date.max, date.min
"""A file's years have four digits: no one looks at each of its dates."""
EXAMPLE = date(1985, 5, 31)
LONGEST = 40
"""Characters of a cell that a refusal repeats."""
MIDNIGHT = r"(?:[T ]00:00(?::00(?:\.0+)?)?)?"
"""Some databases write a date as the start of its day."""

_midnight = re.compile(rf"{MIDNIGHT}$")
_dotted = re.compile(r"[0-9]{1,2}\. ?[0-9]{1,2}\. ?[0-9]{4}").fullmatch
_either = re.compile(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})").fullmatch
_moment = re.compile(r"(.+?)(?:T|,? )([0-9]{1,2}[:.][0-9]{2}\b.*)").fullmatch
_wrapped = re.compile(r'="(.*)"', re.S).fullmatch


def plain(cell: str) -> str:
    """Return the value without the characters that keep a spreadsheet from changing it."""
    found = _wrapped(cell)
    if found:
        return found[1].strip()
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@" else cell


def which_first(cells: Iterable[str], usual: bool | None) -> tuple[bool, bool | None]:
    """Whether there are dates such as 03/04/1985, and whether the day comes first in them: `usual` where none tells.

    None: they contradict each other.
    """
    seen = day = month = False
    for cell in cells:
        found = _either(_date_alone(cell))
        if found:
            seen = True
            day = day or int(found[1]) > 12
            month = month or int(found[2]) > 12
    if day == month:
        return seen, None if day else usual
    return seen, day


def is_either(cell: str) -> bool:
    """Whether a date can be read only by who knows if its day or its month comes first."""
    return _either(_date_alone(cell)) is not None


def _date_alone(cell: str) -> str:
    """The date of a cell, in Latin digits and without the midnight it begins with."""
    return _midnight.sub("", typed_dates.plain(cell))


def read_date(cell: str, day_first: bool, formats: Formats) -> date:
    """A date written 1985-07-02, 02.07.1985, or with the day or the month first 02/07/1985. Raises Invalid.

    No country writes the month first with dots.
    """
    text = _date_alone(cell)
    order = Order.DAY if day_first or _dotted(text) else Order.MONTH
    shown = {"typed": cell[:LONGEST], "example": formats.typed_date(EXAMPLE)}
    try:
        read = typed_dates.read_date(text, order, *NO_CENTURY)
    except AmbiguousYear:
        raise Invalid(_("Write the year of “%(typed)s” with four digits, like %(example)s.") % shown) from None
    except Unreadable:
        raise Invalid(_("“%(typed)s” isn't a date. Write it like %(example)s.") % shown) from None
    if not EARLIEST_YEAR <= read.year <= LATEST_YEAR:
        raise Invalid(_("The year of this date can't be right."))
    return read


def read_time(cell: str, formats: Formats) -> time:
    """A time of day written 10:30, 10.30 Uhr or 2:15 pm. Raises Invalid."""
    try:
        hour, minute = typed_dates.read_time(cell, formats.locale)
        return time(hour, minute)
    except ValueError:
        shown = {"typed": cell[:LONGEST], "example": formats.typed_time(DayTime.at(14, 30))}
        raise Invalid(_("“%(typed)s” isn't a time. Write it like %(example)s.") % shown) from None


def split_moment(cell: str) -> tuple[str, str]:
    """The date and the time in one cell such as `2026-05-06 10:30` or `06.05.2026, 10:30`; no time, no second text."""
    found = _moment(typed_dates.plain(cell))
    return (found[1], found[2]) if found else (cell, "")
