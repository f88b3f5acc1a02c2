"""The demo clinic: an empty database becomes one with made-up people and more than a year of visits."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
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
    people = _People(session, size, calendar, min(counts) - RECORDS_BEGIN, password_hash)
    accounts = people.add(_stream(seed, 0))
    book = _Book(session, size, calendar, progress)
    for offset in sorted(counts):
        rng = _stream(seed, calendar.date(offset).toordinal())
        for visit in demo_plan.day(size, rng, offset, counts[offset], fixed.get(offset, [])):
            book.add(offset, visit, rng.random(), rng.getrandbits(64), rng.getrandbits(64))
    book.write()
    if not is_sqlite:
        _advance_sequences(session)
    installation = session.get_one(Installation, 1)
    # A demo clinic begins now: nothing that was due before, such as this morning's reminders, is made up for.
    installation.demo_at = installation.created_at = now
    return accounts


def _stream(seed: int, ordinal: int) -> Random:
    """The random numbers of one day (0 and 1: of the people and of the plan), whatever time of day it is."""
    return Random(f"{seed}/{ordinal}")  # noqa: S311 - made-up people, nothing secret


def _refuse_filled(session: Session) -> None:
    if session.scalar(select(exists().where(User.id > 0))):
        raise Conflict(_("This database has users already: a demo clinic only goes into an empty one."))
    for model in (Doctor, Patient, Appointment):
        if session.scalar(select(exists().where(model.id > 0))):
            raise Conflict(_("This database has records already: a demo clinic only goes into an empty one."))


def _insert(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose values are written as the database keeps them already."""
    if rows:
        session.execute(insert(table(model.__tablename__, *map(column, rows[0]))), rows)


def _advance_sequences(session: Session) -> None:
    """Let PostgreSQL go on behind the ids that were given here; SQLite does so by itself."""
    for model in (User, Doctor, Patient, Appointment, Treatment):
        sequence = func.pg_get_serial_sequence(model.__tablename__, "id")
        session.execute(select(func.setval(sequence, func.max(model.id))).having(func.max(model.id) > 0))


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


class _People:
    """Writes the staff, the patients and their accounts, with ids from 1."""

    def __init__(
        self, session: Session, size: Size, calendar: _Calendar, first_day: int, password_hash: str
    ) -> None:
        self._session = session
        self._size = size
        self._calendar = calendar
        self._first_day = first_day
        self._password_hash = password_hash
        self._users: list[dict[str, Any]] = []

    def add(self, rng: Random) -> list[str]:
        """Insert everybody; returns the addresses of the accounts, the one to try first of each role in front."""
        began = self._calendar.quarters(self._first_day)[1]
        self._user(f"admin@{demo_people.DOMAIN}", "Ines Albrecht", Role.ADMIN, began)
        self._user(f"reception@{demo_people.DOMAIN}", "Jonas Weber", Role.RECEPTIONIST, began)
        doctors = []
        for index in range(self._size.doctors):
            name, department = demo_people.doctor_name(index, rng), demo_people.department(index)
            user_id = self._user(f"doctor{index + 1}@{demo_people.DOMAIN}", name, Role.DOCTOR, began)
            row = {"id": index + 1, "user_id": user_id, "name": name, "created_at": began}
            doctors.append({**row, "department": demo_people.DEPARTMENTS[department]})
        _insert(self._session, User, self._users)
        _insert(self._session, Doctor, doctors)
        staff, self._users = self._users, []
        self._add_patients(rng)
        emails = [user["email"] for user in (*staff[:3], self._users[0], *staff[3:], *self._users[1:])]
        return emails

    def _add_patients(self, rng: Random) -> None:
        ...


class _Book:
    """Gathers the rows of visits and treatments and writes them a batch at a time."""

    def __init__(
        self, session: Session, size: Size, calendar: _Calendar, progress: Callable[[int, int], None]
    ) -> None:
        self._session = session
        self._size = size
        self._calendar = calendar
        self._progress = progress
        self._appointments: list[dict[str, Any]] = []
        self._treatments: list[dict[str, Any]] = []
        self._written = 0
        self._treated = 0
