"""What PostgreSQL ended for another transaction's sake is begun again, a few times and with the same request.

It ends one of two transactions that wait for each other, and one that cannot be put in order with another. Acts lock in
one order (foundation/locks.py), so this is rare; where it happens, no one has to press again.
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
"""Could not be put in order with another transaction; waited for one that waited for it."""
TRIES = 4
"""How often something is begun in all."""
LONGEST_PAUSE_MS = 50


def is_one(error: DBAPIError) -> bool:
    """Whether PostgreSQL ended the transaction for another one's sake: the same again at once may well work."""
    return getattr(error.orig, "sqlstate", None) in CODES


def begun_again(act: Callable[[], Done], *, is_ready: Callable[[], bool] = lambda: True) -> Done:
    """What an act returns, begun again after a collision.

    `is_ready` is asked before each new turn: it makes everything as it was the first time, and says whether it could.
    Raises what the act raises, the DBAPIError of a collision after four of them.
    """
    for turn in range(1, TRIES):
        try:
            return act()
        except DBAPIError as error:
            if not (is_one(error) and is_ready()):
                raise
            log.warning("collided, begun again", turn=turn)
            sleep(randbelow(LONGEST_PAUSE_MS) / 1000)  # by chance, so that the two do not meet again
    return act()
