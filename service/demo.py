"""The demo clinic: an empty database becomes one with made-up people and more than a year of visits."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import column, exists, func, insert, select, table
from sqlalchemy.orm import Session

from service import clock, demo_people, demo_plan
from service.demo_plan import Size, Visit
from service.domain.actor import Role
from service.domain.errors import Conflict
from service.models import Appointment, Base, Doctor, Guardian, Installation, Patient, Treatment, User
from service.translation import gettext as _

__all__ = ["Size", "fill"]

BATCH = 10_000
RECORDS_BEGIN, RECORDS_END = 700, 70
"""Days before the first visit between which all people were taken up; nobody books earlier than that."""
TO_COMPLETE_DAYS = 14
"""Visits up to so many days ago may still wait for somebody to say how they ended."""


def fill(
    session: Session,
    zone: ZoneInfo,
    size: Size,
    seed: int,
    password_hash: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Fill an empty database with a demo clinic and return the accounts' addresses; the caller commits.

    The same seed on the same day gives the same clinic; only how far today has come follows the clock.
    `progress` is told the appointments written so far and their total. Raises Conflict when there are users already.
    """
    _refuse_filled(session)
    now, is_sqlite = clock.now(), session.get_bind().dialect.name == "sqlite"
    calendar = _Calendar(zone, now, "" if is_sqlite else "+00")
    fixed = demo_plan.arranged(size)
    counts = demo_plan.counts(size, fixed, calendar.today, _stream(seed, 1))
    rows = _Rows(session)
    accounts = _add_people(rows, size, calendar, min(counts), _stream(seed, 0), password_hash)
    rows.write()
    for offset in sorted(counts):
        rng = _stream(seed, calendar.date(offset).toordinal())
        for visit in demo_plan.day(size, rng, offset, counts[offset], fixed.get(offset, [])):
            _add_visit(rows, calendar, offset, visit, rng)
        if rows.waiting >= BATCH:
            rows.write()
            progress(rows.next_id(Appointment) - 1, size.appointments)
    rows.write()
    progress(size.appointments, size.appointments)
    if not is_sqlite:
        _advance_sequences(session)
    installation = session.get_one(Installation, 1)
    # A demo clinic begins now: nothing that was due before, such as this morning's reminders, is made up for.
    installation.demo_at = installation.created_at = now
    return accounts


def _stream(seed: int, ordinal: int) -> Random:
    """The random numbers of one day, whatever the time; days 0 and 1 are the people's and the plan's."""
    return Random(f"{seed}/{ordinal}")  # noqa: S311 - made-up people, nothing secret


def _refuse_filled(session: Session) -> None:
    if session.scalar(select(exists().where(User.id > 0))):
        raise Conflict(_("This database has users already: a demo clinic only goes into an empty one."))
    if any(session.scalar(select(exists().where(model.id > 0))) for model in (Doctor, Patient, Appointment)):
        raise Conflict(_("This database has records already: a demo clinic only goes into an empty one."))


def _advance_sequences(session: Session) -> None:
    """Let PostgreSQL go on behind the ids that were given here; SQLite does so by itself."""
    for model in (User, Doctor, Patient, Appointment, Treatment):
        newest = session.scalar(select(func.max(model.id)))
        if newest:
            session.execute(select(func.setval(func.pg_get_serial_sequence(model.__tablename__, "id"), newest)))


class _Calendar:
    """The quarters of an hour of each day, days counted from today, written as the database keeps instants.

    As text: a million visits have several million instants, but each is one of the few of its day.
    """

    def __init__(self, zone: ZoneInfo, now: datetime, suffix: str) -> None:
        self._zone = zone
        self._suffix = suffix
        self._known: dict[int, list[str]] = {}
        self.today = now.astimezone(zone).date()
        self.now = self._text(now)
        self.half_an_hour_ago = self._text(now - timedelta(minutes=30))

    def date(self, offset: int) -> date:
        """The day that lies so many days from today."""
        return self.today + timedelta(days=offset)

    def quarters(self, offset: int) -> list[str]:
        """A day's instants from 06:45 to 22:00: slot n begins at index n + 1 and ends at n + 2."""
        if offset not in self._known:
            if len(self._known) >= 200:
                self._known.clear()
            day = self.date(offset)
            walls = (time(minute // 60, minute % 60) for minute in range(6 * 60 + 45, 22 * 60 + 1, 15))
            self._known[offset] = [self._text(clock.instant(day, wall, self._zone)) for wall in walls]
        return self._known[offset]

    def _text(self, instant: datetime) -> str:
        return f"{instant:%Y-%m-%d %H:%M:%S.%f}{self._suffix}"


class _Rows:
    """Rows that wait to be inserted many at a time, with ids from 1 and values written as the database keeps them."""

    ORDER: tuple[type[Base], ...] = (User, Doctor, Patient, Guardian, Appointment, Treatment)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: dict[type[Base], list[dict[str, Any]]] = {model: [] for model in self.ORDER}
        self._written = dict.fromkeys(self.ORDER, 0)

    @property
    def waiting(self) -> int:
        """How many appointments wait."""
        return len(self._waiting[Appointment])

    def next_id(self, model: type[Base]) -> int:
        """The id of the row that is added next."""
        return self._written[model] + len(self._waiting[model]) + 1

    def add(self, model: type[Base], **values: Any) -> int:
        """Let a row wait; returns its id."""
        values["id"] = self.next_id(model)
        self._waiting[model].append(values)
        return values["id"]

    def write(self) -> None: ...
