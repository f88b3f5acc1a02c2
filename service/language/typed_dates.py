"""Dates and times of day as people type them: in the order and with the clock of a locale, and as ISO writes them.

Digits of every script are read, and so are the marks of direction that a page may put between them.
"""

import re
import unicodedata
from contextlib import suppress
from datetime import date, time
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

from babel import Locale
from babel.dates import format_time

ENGLISH = Locale("en")
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c\u2066\u2067\u2068\u2069"))
"""They direct a text and are not seen."""
_LITERAL = re.compile(r"'[^']*'")
_BETWEEN = r"\s*(?:[-./\\,،٫؍‐‑–−年月]|(?<=\d)\s+(?=\d))\s*"
_FIRST, _SECOND, _THIRD = r"(?P<one>\d{4}|\d{1,2})", r"(?P<two>\d{1,2})", r"(?P<three>\d{4}|\d{1,2})"
_whole_date = re.compile(
    rf"{_FIRST}(?P<gap>{_BETWEEN}){_SECOND}(?P<next_gap>{_BETWEEN}){_THIRD}\s*(?:[.日]|г\.?)?"
).fullmatch
_basic_date = re.compile(r"(?P<one>[12]\d{3})(?P<two>\d\d)(?P<three>\d\d)").fullmatch
_iso_with_time = re.compile(r"(\d{4}-\d\d-\d\d|\d{8})[T ]\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?").fullmatch
"""Without a zone: in another one it could be another day."""
_date_within = re.compile(rf"(?<!\d){_FIRST}\s*(?P<sign>[-./،٫؍])\s*{_SECOND}\s*(?P=sign)\s*{_THIRD}(?!\d)").search
_whole_time = re.compile(
    r"(?P<before>\D*?)\s*(?P<hour>\d{1,2})(?:\s*(?:[:.h٫]|uhr)\s*(?P<minute>\d\d)(?::00(?:\.0+)?)?)?\s*(?P<after>\D*)"
).fullmatch
_MEANINGLESS = re.compile(r"[\s.]")
_OF_24_HOURS = frozenset(("", "h", "uhr"))
"""What stands behind a time that is counted from 0 to 24."""


class Order(StrEnum):
    """Which part of a date is written first."""

    DAY = "dMy"
    MONTH = "Mdy"
    YEAR = "yMd"

    @property
    def day_first(self) -> bool | None:
        """Whether 03/04/1985 is the 3rd of April; None where it would be written 1985/04/03."""
        return None if self is Order.YEAR else self is Order.DAY


class Unreadable(ValueError):
    """What was typed is no date, or no time of day."""


class AmbiguousYear(Unreadable):
    """The year has two digits, which stand for more than one year or for none."""


@lru_cache(maxsize=64)
def pattern_of(locale: Locale) -> str:
    """How a locale writes a date in figures, by CLDR, with all digits of the year: `MM/d/y`."""
    short = str(locale.date_formats["short"].pattern).translate(_MARKS)
    return re.sub(r"y+", "y", re.sub(r"\s*G+", "", short))


@lru_cache(maxsize=64)
def order_of(locale: Locale) -> Order:
    """Which part of a date a locale writes first."""
    letters = re.sub(r"[^dMy]", "", _LITERAL.sub("", pattern_of(locale)))
    return Order(re.sub(r"(.)\1+", r"\1", letters))


def is_twelve_hours(locale: Locale) -> bool:
    """Whether a locale counts hours to twelve."""
    return not {"h", "K"}.isdisjoint(_LITERAL.sub("", locale.time_formats["short"].pattern))


def plain(text: str) -> str:
    """The text with Latin digits, and without signs that only look different or only direct it."""
    usual = unicodedata.normalize("NFKC", text).translate(_MARKS)
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in usual).strip()


def read_date(text: str, order: Order, first: date, last: date) -> date:
    """The date that was typed. A year of two digits is the one between `first` and `last`.

    Raises Unreadable for anything but a date in this order or with its year of four digits in front (also without
    separators, as 19850403), and AmbiguousYear where two digits could stand for two years.
    """
    found = _whole_date(plain(text)) or _basic_date(plain(text))
    if found is None:
        raise Unreadable(text)
    meant = _meant(found, order)
    if len(meant) > 1 and _has_short_year(found):
        within = [day for day in meant if first <= day <= last]
        if len(within) != 1:
            raise AmbiguousYear(text)
        meant = within
    if len(meant) != 1:
        raise Unreadable(text)
    return meant[0]


def without_time(text: str) -> str:
    """The date of an ISO moment such as 2026-05-04T00:00, which must name no zone; any other text as it is."""
    found = _iso_with_time(plain(text))
    return found[1] if found else text


def is_dotted(text: str) -> bool:
    """Whether a date has dots between its numbers. No country writes the month first with dots."""
    found = _whole_date(plain(text))
    return found is not None and found["gap"].strip() == found["next_gap"].strip() == "."


def day_and_month(text: str) -> tuple[int, int] | None:
    """The two numbers before the year of a date, whose order only its writer knows; None where the text tells it."""
    found = _whole_date(plain(text))
    if found is None or len(found["three"]) != 4 or len(found["one"]) == 4 or is_dotted(text):
        return None
    return int(found["one"]), int(found["two"])


def is_either(text: str) -> bool:
    """Whether a date can be read in two ways: as March 4 and as April 3."""
    numbers = day_and_month(text)
    return numbers is not None and numbers[0] != numbers[1] and max(numbers) <= 12


def find_dates(text: str, order: Order) -> tuple[list[date] | None, str]:
    """The days that a date within a text may mean, and the text without it; None where there is no date.

    A date that is none in this order is read in the other one.
    """
    found = _date_within(text)
    if found is None:
        return None, text.strip()
    days = _meant(found, order) or _meant(found, Order.DAY) or _meant(found, Order.MONTH)
    return days, f"{text[: found.start()]} {text[found.end() :]}".strip()


def _meant(found: re.Match[str], order: Order) -> list[date]:
    """The dates that three numbers may mean: several where the year has two digits, none where there is no such day."""
    days = set[date]()
    for year, month, day in _parts(found, order):
        years = [int(year)] if len(year) == 4 else [century + int(year) for century in (1900, 2000, 2100)]
        for one in years if len(year) in (2, 4) else []:
            with suppress(ValueError):
                days.add(date(one, int(month), int(day)))
    return sorted(days)


def _parts(found: re.Match[str], order: Order) -> list[tuple[str, str, str]]:
    """Year, month and day; in two ways where the year, which usually comes first, stands behind."""
    one, two, three = found["one"], found["two"], found["three"]
    if len(one) == 4:
        return [(one, two, three)]
    match order:
        case Order.DAY:
            return [(three, two, one)]
        case Order.MONTH:
            return [(three, one, two)]
        case Order.YEAR:
            return [(three, one, two), (three, two, one)] if len(three) == 4 else [(one, two, three)]
        case _:
            assert_never(order)


def _has_short_year(found: re.Match[str]) -> bool:
    return len(found["one"]) != 4 and len(found["three"]) != 4


def read_time(text: str, locale: Locale) -> tuple[int, int]:
    """The hour, 0 to 24, and the minute that were typed: `14:30`, `2:30 PM`, `2.30pm`, `14 h 30`.

    Without AM or PM it is counted to 24 wherever the reader is, because programs write it so. Raises Unreadable.
    """
    found = _whole_time(plain(text).casefold())
    if found is None:
        raise Unreadable(text)
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    half = _MEANINGLESS.sub("", found["before"] + found["after"])
    if minute > 59 or hour > 24 or (hour == 24 and minute) or (not half and found["minute"] is None):
        raise Unreadable(text)
    if half in _OF_24_HOURS or half == _word(locale):
        return hour, minute
    for candidate in (hour % 12, hour % 12 + 12):
        if 1 <= hour <= 12 and half in _halves(candidate, minute, locale):
            return candidate, minute
    raise Unreadable(text)


@lru_cache(maxsize=64)
def _word(locale: Locale) -> str:
    """The word that a locale writes with a time, such as o'clock."""
    words = "".join(_LITERAL.findall(locale.time_formats["short"].pattern))
    return _MEANINGLESS.sub("", plain(words.replace("'", "")).casefold())


@lru_cache(maxsize=256)
def _halves(hour: int, minute: int, locale: Locale) -> frozenset[str]:
    """What a locale, and English, call the part of the day that a time lies in."""
    names = set[str]()
    for spoken in (locale, ENGLISH):
        for width in ("a", "aaaa", "aaaaa", "b", "B"):
            with suppress(ValueError):  # not every language has every name
                name = format_time(time(hour, minute), width, locale=spoken)
                names.add(_MEANINGLESS.sub("", plain(name).casefold()))
    return frozenset(names)
