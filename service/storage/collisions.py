"""Retry transactions that PostgreSQL canceled because of a deadlock or a serialization failure.

Locks are taken in one order (foundation/locks.py), so this is rare. If it happens, users don't have to try again.
"""

from collections.abc import Callable
from secrets import randbelow
from time import sleep
from typing import TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger()
Done = TypeVar("Done")
CODES = frozenset({"40001", "40P01"})
"""Serialization failure, deadlock."""
TRIES = 4
LONGEST_PAUSE_MS = 50


def is_one(error: DBAPIError) -> bool:
    """Return whether PostgreSQL canceled the transaction because of another one, so that a retry may work."""
    return getattr(error.orig, "sqlstate", None) in CODES


def retried(act: Callable[[], Done], *, is_ready: Callable[[], bool] = lambda: True) -> Done:
    """Call `act`, retry it after a collision, and return its result.

    `is_ready` is called before each retry: it resets everything, and returns whether that worked. Raises what `act`
    raises, and the DBAPIError of the fourth collision.
    """
    for turn in range(1, TRIES):
        try:
            return act()
        except DBAPIError as error:
            if not (is_one(error) and is_ready()):
                raise
            log.warning("transaction collided, retrying", turn=turn)
            sleep(randbelow(LONGEST_PAUSE_MS) / 1000)  # random, so that the same two transactions don't collide again
    return act()
