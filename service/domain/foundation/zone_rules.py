"""The UTC offsets of a time zone over the years, as data to store and compare.

After an upgrade of Python's zone data, the old rules are gone. The stored ones show what has changed.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, Self

STEP = timedelta(days=5)
"""No zone changes twice within this time: the shortest period is the month of Ramadan in Morocco."""
YEARS_AHEAD = 20


@dataclass(frozen=True)
class ZoneRules:
    """The offsets of a zone between two instants, constant before the first change and after the last."""

    zone: str
    changes: tuple[tuple[datetime, timedelta], ...]
    """The offset from UTC, starting at each instant."""
    until: datetime
    """The end of the period that was looked up."""

    @classmethod
    def between(cls, key: str, zone: tzinfo, first: datetime, last: datetime) -> Self:
        """Read the offsets of `zone` from `first` to `last`; `key` is its name."""
        return cls(key, tuple(_changes(zone, first.astimezone(UTC), last.astimezone(UTC))), last)

    @classmethod
    def around(cls, key: str, zone: tzinfo, now: datetime) -> Self:
        """Read the offsets from the start of last year until 20 years from now."""
        year = now.astimezone(UTC).year
        return cls.between(
            key, zone, datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + YEARS_AHEAD, 1, 1, tzinfo=UTC)
        )

    @classmethod
    def from_json(cls, zone: str, stored: dict[str, Any]) -> Self:
        """Restore from as_json()."""
        changes = tuple((datetime.fromisoformat(at), timedelta(seconds=ahead)) for at, ahead in stored["changes"])
        return cls(zone, changes, datetime.fromisoformat(stored["until"]))

    def as_json(self) -> dict[str, Any]:
        """Return a value for a JSON column."""
        changes = [[at.isoformat(), int(ahead.total_seconds())] for at, ahead in self.changes]
        return {"changes": changes, "until": self.until.isoformat()}

    @cached_property
    def _instants(self) -> list[datetime]:
        return [at for at, _ahead in self.changes]

    def offset(self, instant: datetime) -> timedelta:
        """Return the offset from UTC at an instant."""
        return self.changes[max(0, bisect_right(self._instants, instant) - 1)][1]

    def wall(self, instant: datetime) -> datetime:
        """Return the local time at an instant: naive, with `fold` 1 for the second of two equal times."""
        place = max(0, bisect_right(self._instants, instant) - 1)
        at, ahead = self.changes[place]
        earlier = self.changes[place - 1][1] if place else ahead
        is_second = ahead < earlier and instant - at < earlier - ahead
        return (instant.astimezone(UTC) + ahead).replace(tzinfo=None, fold=int(is_second))

    def stretches(self) -> Iterator[tuple[datetime, datetime, timedelta, int]]:
        """Yield start, end, offset, and fold of each period of local times; the last one ends at `until`."""
        ends = [*self._instants[1:], self.until]
        earlier = self.changes[0][1]
        for (at, ahead), end in zip(self.changes, ends, strict=True):
            second = min(at + max(earlier - ahead, timedelta()), end)
            if second > at:
                yield at, second, ahead, 1
            yield second, end, ahead, 0
            earlier = ahead

    def same_from(self, other: Self, since: datetime) -> bool:
        """Return whether both have the same offsets from an instant on, for the period that both cover."""
        until = min(self.until, other.until)
        points = {since, *(at for at in (*self._instants, *other._instants) if since < at < until)}
        return all(self.offset(at) == other.offset(at) for at in points)


def _changes(zone: tzinfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """Yield the offset at `first` and each later change, to the second."""
    before = _ahead(zone, first)
    yield first, before
    day = first
    while day < last:
        following = min(day + STEP, last)
        after = _ahead(zone, following)
        if after != before:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _ahead(zone, middle) == before else (low, middle)
            yield high, after
            before = after
        day = following


def _ahead(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
