"""Two acts at the same moment on PostgreSQL, with the moment chosen: one pauses inside its transaction.

It pauses after a statement of its choice, or at its end, before it commits; the other one then goes as far as it can.
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
from service.storage import database
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

    def begin(self) -> None:
        """The statements of this thread count from now on."""
        self.thread, self.statements = get_ident(), 0

    def note(self, *_statement: object) -> None:
        """A statement was executed by some thread."""
        if get_ident() == self.thread:
            self.statements += 1
            if self.statements == self.after:
                self.stop()

    def stop(self) -> None:
        """Wait for the other one, once."""
        self.reached.set()
        assert self.over.wait(patience.SECONDS)


def attempt(house: House, act: Act, *, before_commit: Callable[[], None] = lambda: None) -> tuple[bool, int]:
    """Whether an act was done and not refused, and how often it collided before that; begun again as a request is."""
    for collisions in range(4):
        try:
            with house.writing() as session:
                act(session)
                before_commit()
        except (DomainError, IntegrityError, StaleDataError):
            return False, collisions
        except DBAPIError as error:
            if not database.is_collision(error):
                raise
        else:
            return True, collisions
    raise AssertionError("collided four times")


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
            pause.reached.set()

    with _listening(house, pause), ThreadPoolExecutor(2) as pool:
        one = pool.submit(go_first)
        assert pause.reached.wait(patience.SECONDS)
        other = pool.submit(attempt, house, second)
        until_done_or_waiting(house, other)
        pause.over.set()
        (is_first_done, early), (is_second_done, late) = one.result(), other.result()
    return is_first_done, is_second_done, early + late


@contextmanager
def _listening(house: House, pause: Pause) -> Any:
    engine = house.wiring.database.engine
    event.listen(engine, "after_cursor_execute", pause.note)
    try:
        yield
    finally:
        pause.over.set()
        event.remove(engine, "after_cursor_execute", pause.note)


def until_done_or_waiting(house: House, other: "Future[Any]") -> None:
    """Wait until another thread has its answer, or waits for a lock that somebody else holds."""
    with house.wiring.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as outside:

        def is_as_far_as_it_gets() -> bool:
            with suppress(TimeoutError):
                other.exception(0.002)
                return True
            return bool(outside.execute(text(WAITERS)).scalar_one())

        patience.until(is_as_far_as_it_gets)
