"""Retries a request after a deadlock or a serialization failure, as long as it has saved nothing yet."""

from flask import Flask, request
from flask.typing import ResponseReturnValue

from service.http import context
from service.storage import collisions


class Persistent(Flask):
    """A Flask app that retries a request after a collision."""

    def dispatch_request(self) -> ResponseReturnValue:
        """Return the view's answer. Raises DBAPIError when it collides each time, or has saved something already."""
        return collisions.retried(super().dispatch_request, is_ready=_rewound)


def _rewound() -> bool:
    """Put everything back to where the view started; False when it has saved something already."""
    if context.has_committed():
        return False
    context.end_reading()
    for file in request.files.values():
        file.stream.seek(0)
    return True
