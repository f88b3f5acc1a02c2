"""Retries what PostgreSQL canceled because of a deadlock or a serialization failure, a few times.

Acts lock in one order (foundation/locks.py), so this is rare. When it happens, nobody has to press again.
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
    """Whether PostgreSQL canceled the transaction because of another one, so that a retry may well work."""
    return getattr(error.orig, "sqlstate", None) in CODES


def retried(act: Callable[[], Done], *, is_ready: Callable[[], bool] = lambda: True) -> Done:
    """Return what an act returns, and retry it after a collision.

    `is_ready` is asked before each retry: it puts everything back to where the act started, and says whether it could.
    Raises what the act raises, and the DBAPIError of the fourth collision.
    """
    for turn in range(1, TRIES):
        try:
            return act()
        except DBAPIError as error:
            if not (is_one(error) and is_ready()):
                raise
            log.warning("transaction collided, retrying", turn=turn)
            sleep(randbelow(LONGEST_PAUSE_MS) / 1000)  # random, so that the same two don't collide again
    return act()
