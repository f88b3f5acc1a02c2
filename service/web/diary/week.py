"""A doctor's week as pages show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from service.clock import DayTime
from service.http import context
from service.storage.models import DoctorHours


@dataclass(frozen=True)
class Stretch:
    """Hours of a day; `begins` and `last` are set if they apply later or only for a while."""

    starts: DayTime
    ends: DayTime
    slot_minutes: int
    begins: date | None
    last: date | None


@dataclass(frozen=True)
class Line:
    """Consecutive days with the same hours, such as `Mon–Fri`."""

    days: str
    stretches: Sequence[Stretch]


@dataclass(frozen=True)
class Weekday:
    """A row of the week: its name and the blocks on it."""

    number: int
    name: str
    blocks: Sequence[tuple[int, Stretch]]


def names(*, short: bool = False) -> dict[int, str]:
    """Return the names of the weekdays by number (0 is Monday), in the locale's order."""
    formats = context.formats()
    return {number: formats.weekday(number, short=short) for number in formats.week}


def in_words(blocks: Sequence[DoctorHours], today: date) -> list[Line]:
    """Return the week in short lines; empty if there are no hours."""
    short = names(short=True)
    days = {
        number: tuple(_stretch(block, today) for block in found)
        for number, found in groupby(blocks, key=lambda block: block.weekday)
    }
    lines = []
    for stretches, numbers in groupby(short, key=lambda number: days.get(number, ())):
        same = list(numbers)
        if stretches:
            words = short[same[0]] if len(same) == 1 else f"{short[same[0]]}–{short[same[-1]]}"
            lines.append(Line(words, stretches))
    return lines


def rows(blocks: Sequence[DoctorHours], today: date) -> list[Weekday]:
    """Return the seven days with their blocks."""
    return [
        Weekday(number, name, [(block.id, _stretch(block, today)) for block in blocks if block.weekday == number])
        for number, name in names().items()
    ]


def _stretch(block: DoctorHours, today: date) -> Stretch:
    begins = block.valid_from if block.valid_from is not None and block.valid_from > today else None
    return Stretch(block.starts, block.ends, block.slot_minutes, begins, block.valid_until)
