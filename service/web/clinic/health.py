"""Whether the process answers at all, whether it is ready, and its figures for a monitor."""

import hmac

from flask import Blueprint, Response, request

from service.domain.foundation.errors import Forbidden
from service.health import readiness
from service.http import context, metrics, origins
from service.language.translation import gettext as _
from service.process.listening import is_loopback

blueprint = Blueprint("health", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """Alive: answers without touching anything else."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Ready: 200, or 503 when something is down. The reasons are for this computer and holders of the token."""
    wiring = context.wiring()
    checks = readiness.checks(wiring.database, wiring.settings)
    ready = readiness.is_ready(checks)
    lines = [f"{check.state}: {check.title}: {check.words}" for check in checks] if _may_know_more() else []
    text = "\n".join(["ready" if ready else "not ready", *lines])
    return Response(f"{text}\n", 200 if ready else 503, mimetype="text/plain")


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Figures in Prometheus's format; no name and no patient's number is among them."""
    if not _may_know_more():
        raise Forbidden(_("Metrics are available on this computer, or with the token set in ROUNDS_METRICS_TOKEN."))
    return Response(metrics.text(), content_type=metrics.CONTENT_TYPE)


def _may_know_more() -> bool:
    """Whether the asker sits at this computer, under its own name, or shows the monitor's token."""
    token = context.wiring().metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(given.encode(), token.encode()):
        return True
    return context.is_at_this_computer() and is_loopback(origins.host_name(request.host))
