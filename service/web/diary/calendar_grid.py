"""Where things stand in a calendar's columns: rows of five minutes, side by side where they overlap."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import NamedTuple

from service.language.formats import Formats

ROW_MINUTES = 5
HOUR = 12
"""Rows of an hour."""
DAY = 24 * HOUR
LANES = 8
"""Things side by side for which calendar-rows.css has a width."""
SHORTEST, USUAL, LONGEST = 2, 3, 6
"""Rows of the shortest thing of a page that calendar.css has a scale for."""
Rows = tuple[int, int]
"""The first row, and the one after the last."""


class Kind(StrEnum):
    """The kinds of things in a column; calendar.css has a class for each."""

    OPEN = "open"
    """The hours in which the doctor sees people."""
    VISIT = "visit"
    FREE = "free"
    HELD = "held"


class Thing(NamedTuple):
    """Something in a column, with times on the clinic's wall clock."""

    kind: Kind
    starts: datetime
    ends: datetime
    url: str = ""
    name: str = ""
    words: str = ""
    look: str = ""
    """Further classes of calendar.css."""


class Placed(NamedTuple):
    """A thing placed in its column, with its classes and its time as text."""

    kind: Kind
    classes: str
    clock: str
    url: str
    name: str
    words: str


@dataclass(frozen=True)
class Column:
    """A doctor's day."""

    key: str
    title: str
    colour: int
    day: date
    things: Sequence[Thing]
    count: int


@dataclass(frozen=True)
class Grid:
    """The columns with the hours beside them."""

    columns: Sequence[tuple[Column, Sequence[Placed]]]
    hours: Sequence[tuple[str, str]]
    """Classes and words of each hour."""
    scale: int
    """Rows of the shortest thing: what the height of a row follows from."""


def grid(columns: Sequence[Column], formats: Formats) -> Grid:
    """Lay out the columns over the hours that contain anything."""
    rows = [[_rows(thing, column.day) for thing in column.things] for column in columns]
    spans = [span for of_column in rows for span in of_column]
    first = min((start for start, _after in spans), default=0) // HOUR
    last = -(-max((after for _start, after in spans), default=0) // HOUR)
    lengths = [
        after - start
        for column, of_column in zip(columns, rows, strict=True)
        for thing, (start, after) in zip(column.things, of_column, strict=True)
        if thing.kind != Kind.OPEN
    ]
    return Grid(
        columns=[
            (column, list(_placed(column.things, of_column, first * HOUR, formats)))
            for column, of_column in zip(columns, rows, strict=True)
        ],
        hours=[
            (f"from-{number * HOUR + 1} for-{HOUR}", formats.time(time((first + number) % 24)))
            for number in range(last - first)
        ],
        scale=min(max(min(lengths, default=USUAL), SHORTEST), LONGEST),
    )


def _rows(thing: Thing, day: date) -> Rows:
    """Return the rows a thing takes; on a day of 25 hours, the repeated hour shares its rows."""
    first = (thing.starts.hour * 60 + thing.starts.minute) // ROW_MINUTES if thing.starts.date() == day else 0
    after = -(-(thing.ends.hour * 60 + thing.ends.minute) // ROW_MINUTES) if thing.ends.date() == day else DAY
    return first, max(after, first + 1)


def _placed(things: Sequence[Thing], rows: Sequence[Rows], offset: int, formats: Formats) -> Iterator[Placed]:
    """Yield the things in order of time, open hours before what is in them."""
    order = sorted(range(len(things)), key=lambda number: (rows[number][0], things[number].kind != Kind.OPEN, number))
    lanes = _lanes((number, rows[number]) for number in order if things[number].kind != Kind.OPEN)
    for number in order:
        thing, (start, after) = things[number], rows[number]
        classes = f"cal-{thing.kind} from-{start - offset + 1} for-{after - start}{thing.look}"
        lane, of = lanes.get(number, (0, 1))
        if of > 1:
            classes += f" lane-{min(lane, LANES - 1)} of-{min(of, LANES)}"
        clock = formats.time(thing.starts.time())
        if thing.kind == Kind.OPEN:
            clock += f"–{formats.time(thing.ends.time())}"
        yield Placed(thing.kind, classes, clock, thing.url, thing.name, thing.words)


def _lanes(spans: Iterable[tuple[int, Rows]]) -> dict[int, tuple[int, int]]:
    """Return the lane of each span and the number of lanes side by side; spans come in order of their start."""
    found: dict[int, tuple[int, int]] = {}
    together: list[tuple[int, int]] = []
    ends: list[int] = []
    for number, (start, after) in spans:
        if ends and start >= max(ends):
            found.update({one: (lane, len(ends)) for one, lane in together})
            together, ends = [], []
        lane = next((lane for lane, free_from in enumerate(ends) if free_from <= start), len(ends))
        ends[lane : lane + 1] = [after]
        together.append((number, lane))
    found.update({one: (lane, len(ends)) for one, lane in together})
    return found
