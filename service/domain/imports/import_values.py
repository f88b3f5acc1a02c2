"""Parse dates and times of day in the formats of other programs."""

import re
from collections.abc import Iterable
from datetime import date, time
from typing import NamedTuple

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

ORDERS = {True: Order.DAY, False: Order.MONTH, None: Order.YEAR}
"""By whether the day comes first."""

_midnight = re.compile(rf"{MIDNIGHT}$")
_moment = re.compile(r"(.+?)(?:T|,? )([0-9]{1,2}[:.][0-9]{2}\b.*)").fullmatch
_wrapped = re.compile(r'="(.*)"', re.S).fullmatch


def plain(cell: str) -> str:
    """Return the value without the characters that keep a spreadsheet from changing it."""
    found = _wrapped(cell)
    if found:
        return found[1].strip()
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@" else cell


class Habit(NamedTuple):
    """How a file writes dates such as 03/04/1985."""

    has_either: bool
    """Whether it has any that can be read in two ways, or some that contradict each other."""
    day_first: bool | None
    """None: no one can tell."""
    is_assumed: bool
    """Whether this is only what the country does."""


def habit(cells: Iterable[str], usual: bool | None) -> Habit:
    """How the cells of a file write dates: as `usual` where none tells, in no known order where they disagree."""
    has_either = day = month = False
    for cell in cells:
        text = _date_alone(cell)
        has_either = has_either or typed_dates.is_either(text)
        one, two = typed_dates.day_and_month(text) or (0, 0)
        day, month = day or one > 12, month or two > 12
    if day and month:
        return Habit(has_either=True, day_first=None, is_assumed=False)
    if day or month:
        return Habit(has_either, day, is_assumed=False)
    return Habit(has_either, usual, is_assumed=usual is not None)


def hangs_on_order(cell: str) -> bool:
    """Whether a date can be read only by who knows if its day or its month comes first."""
    numbers = typed_dates.day_and_month(_date_alone(cell))
    return numbers is not None and numbers[0] != numbers[1]


def _date_alone(cell: str) -> str:
    """The date of a cell, in Latin digits and without the midnight it begins with."""
    return _midnight.sub("", typed_dates.plain(cell))


def read_date(cell: str, day_first: bool | None, formats: Formats) -> date:
    """A date written 1985-07-02, 02.07.1985, or with the day or the month first 02/07/1985. Raises Invalid.

    Where no one knows which comes first (None), only a date is read that has one meaning.
    """
    text = _date_alone(cell)
    order = Order.DAY if typed_dates.is_dotted(text) else ORDERS[day_first]
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
