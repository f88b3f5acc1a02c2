"""A request whose transaction collided with another one's is begun again, a few times, and only while nothing is kept.

PostgreSQL ends one of two transactions that wait for each other, and one that cannot be put in order with another.
Acts lock in one order (patient, doctor, visit), so this is rare; where it happens, nobody has to press again.
"""

from secrets import randbelow
from time import sleep

import structlog
from flask import Flask, g, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DBAPIError

from service.http import context
from service.storage import database

log = structlog.get_logger()
TRIES = 4
"""How often a request is begun in all."""
LONGEST_PAUSE_MS = 50


class Persistent(Flask):
    """A Flask app that begins a request again after a collision."""

    def dispatch_request(self) -> ResponseReturnValue:
        """The answer of the view. Raises DBAPIError when it collides again and again, or has kept something already."""
        for _turn in range(TRIES - 1):
            try:
                return super().dispatch_request()
            except DBAPIError as error:
                if not database.is_collision(error) or context.has_committed():
                    raise
                log.warning("collided, begun again", request=g.get("request_id"), path=request.path)
                _rewind()
        return super().dispatch_request()


def _rewind() -> None:
    """Let the view find everything as it did the first time; a pause of chance keeps the two from meeting again."""
    context.end_reading()
    for file in request.files.values():
        file.stream.seek(0)
    sleep(randbelow(LONGEST_PAUSE_MS) / 1000)
