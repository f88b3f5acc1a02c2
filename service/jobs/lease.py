"""Renew a claim as long as its process is running, however long one step takes.

Otherwise, another process would think that slow work was abandoned. Work that hangs is given up after an hour.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import structlog
from sqlalchemy.exc import DBAPIError

log = structlog.get_logger()
RENEW_SECONDS = 10.0
"""One third of the shortest lease."""
LONGEST_SECONDS = 3600.0


@contextmanager
def kept(renew: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Renew a claim in the background until the block ends. The yielded function returns whether it was lost."""
    ended, lost = Event(), Event()
    keeper = Thread(target=_keep, args=(renew, ended, lost), name="lease", daemon=True)
    keeper.start()
    try:
        yield lost.is_set
    finally:
        ended.set()
        keeper.join(1.0)


def _keep(renew: Callable[[], bool], ended: Event, lost: Event) -> None:
    for _turn in range(int(LONGEST_SECONDS / RENEW_SECONDS)):
        if ended.wait(RENEW_SECONDS):
            return
        try:
            if not renew():
                lost.set()
                return
        except DBAPIError as error:  # busy or briefly unavailable: the next attempt may still be in time
            log.warning("claim not renewed", error=type(error.orig).__name__)
