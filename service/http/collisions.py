"""A request whose transaction collided with another one's is begun again, while nothing of it is kept."""

from flask import Flask, request
from flask.typing import ResponseReturnValue

from service.http import context
from service.storage import collisions


class Persistent(Flask):
    """A Flask app that begins a request again after a collision."""

    def dispatch_request(self) -> ResponseReturnValue:
        """The answer of the view. Raises DBAPIError when it collides again and again, or has kept something already."""
        return collisions.begun_again(super().dispatch_request, is_ready=_rewound)


def _rewound() -> bool:
    """Let the view find everything as it did the first time; False where it has done something by now."""
    if context.has_committed():
        return False
    context.end_reading()
    for file in request.files.values():
        file.stream.seek(0)
    return True
