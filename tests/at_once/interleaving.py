"""Two acts at the same moment, with the moment chosen: one pauses inside its transaction.

It pauses after a statement of its choice, or at its end, before it commits; the other one then goes as far as it can:
on PostgreSQL until it needs a lock, on SQLite until it wants to write.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, get_ident
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from service.domain.foundation.errors import DomainError
from service.storage import collisions, database
from tests import patience
from tests.house import House

Act = Callable[[Session], Any]
END = 10_000
"""A pause before the commit."""
WAITERS = """SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"""


@dataclass
class Pause:
    """Where the first of two stops, and how the other lets it go on."""

    after: int
    thread: int = 0
    statements: int = 0
    reached: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    knocked: Event = field(default_factory=Event)
    """Set when the other one asks SQLite for the right to write."""

    def begin(self) -> None:
        """The statements of this thread count from now on."""
        self.thread, self.statements = get_ident(), 0

    def end(self) -> None:
        """The first is over, paused or not; its thread may be the other one's next."""
        self.thread = 0
        self.reached.set()

    def note(self, *_statement: object) -> None:
        """A statement was executed by some thread."""
        if get_ident() == self.thread:
            self.statements += 1
            if self.statements == self.after:
                self.stop()

    def hear(self, _connection: object, _cursor: object, statement: str, *_more: object) -> None:
        """A statement is about to be executed by some thread."""
        if statement == "BEGIN IMMEDIATE" and get_ident() != self.thread:
            self.knocked.set()

    def stop(self) -> None:
        """Wait for the other one, once."""
        self.reached.set()
        assert self.over.wait(patience.SECONDS)


def attempt(house: House, act: Act, *, before_commit: Callable[[], None] = lambda: None) -> tuple[bool, int]:
    """Whether an act was done and not refused, and how often it collided before that; retried as a request is."""
    collided = 0
    for _turn in range(collisions.TRIES):
        try:
            with house.writing() as session:
                act(session)
                before_commit()
        except (DomainError, IntegrityError, StaleDataError):
            return False, collided
        except DBAPIError as error:
            if not database.is_busy(error):
                raise
            collided += collisions.is_one(error)
        else:
            return True, collided
    raise AssertionError("busy four times")


def alone(house: House, *acts: Act) -> tuple[bool, ...]:
    """Which of some acts, one after the other, were done."""
    return tuple(attempt(house, act)[0] for act in acts)


def interleaved(house: House, first: Act, second: Act, *, pause_after: int = END) -> tuple[bool, bool, int]:
    """Whether each of the two was done, and how often they collided."""
    pause = Pause(pause_after)

    def go_first() -> tuple[bool, int]:
        pause.begin()
        try:
            return attempt(house, first, before_commit=pause.stop)
        finally:
            pause.end()

    with _listening(house, pause), ThreadPoolExecutor(2) as pool:
        one = pool.submit(go_first)
        assert pause.reached.wait(patience.SECONDS)
        pause.knocked.clear()
        other = pool.submit(attempt, house, second)
        if house.wiring.database.is_sqlite:
            patience.until(lambda: other.done() or pause.knocked.is_set())
        else:
            until_done_or_waiting(house, other)
        pause.over.set()
        (is_first_done, early), (is_second_done, late) = one.result(), other.result()
    return is_first_done, is_second_done, early + late


@contextmanager
def _listening(house: House, pause: Pause) -> Any:
    engine = house.wiring.database.engine
    event.listen(engine, "before_cursor_execute", pause.hear)
    event.listen(engine, "after_cursor_execute", pause.note)
    try:
        yield
    finally:
        pause.over.set()
        event.remove(engine, "before_cursor_execute", pause.hear)
        event.remove(engine, "after_cursor_execute", pause.note)


def until_done_or_waiting(house: House, other: "Future[Any]") -> None:
    """Wait until another thread has its answer, or waits for a lock that someone else holds."""
    with house.wiring.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as outside:

        def is_as_far_as_it_gets() -> bool:
            with suppress(TimeoutError):
                other.exception(0.002)
                return True
            return bool(outside.execute(text(WAITERS)).scalar_one())

        patience.until(is_as_far_as_it_gets)
