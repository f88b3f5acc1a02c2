"""Whether the process answers at all."""

from flask import Blueprint, Response

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """Alive: answers without touching anything else."""
    return Response("ok\n", mimetype="text/plain")
