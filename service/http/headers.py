"""Headers of every answer: what a browser may load, keep and tell others; and one log line a request."""

import secrets
from ipaddress import ip_address
from socket import gethostname
from time import monotonic
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import BadRequest

from service import logs
from service.http import bearers, context, origins
from service.http.log_budget import LogBudget
from service.language.translation import lazy_gettext as _l
from service.wiring import Wiring

log = structlog.get_logger()
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


class Misdirected(BadRequest):
    """Asked for under a name that is not ours."""

    description = _l("This service isn't known by that name. An administrator can set [clinic] public_url.")


def install(app: Flask, wiring: Wiring) -> None:
    """Name each request, and dress each answer."""
    app.extensions["rounds log"] = LogBudget(wiring.meter)
    app.before_request(_begin)
    app.after_request(_dress)
    app.teardown_request(_end)


def _begin() -> None:
    g.request_id = secrets.token_hex(6)
    structlog.contextvars.clear_contextvars()  # a thread answers many requests
    budget: LogBudget = current_app.extensions["rounds log"]
    budget.close()
    logs.limit(budget.of(context.address()))
    structlog.contextvars.bind_contextvars(request=g.request_id)
    g.began = monotonic()
    if not _is_ours(origins.host_name(request.host)):
        log.warning("asked for under another name: set [clinic] public_url", request=g.request_id)
        raise Misdirected


def _end(_error: BaseException | None = None) -> None:
    logs.limit(None)


def _is_ours(name: str) -> bool:
    """Whether a Host header names this service. A bare address always does: nobody can point one at us by DNS."""
    settings = context.wiring().settings
    if name in ("localhost", gethostname().lower(), settings.server.host.lower().removesuffix(".")):
        return True
    try:
        ip_address(name)
    except ValueError:
        return name != "" and name == origins.host_name(urlsplit(settings.clinic.public_url).netloc)
    return True


def _dress(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["X-Request-ID"] = g.get("request_id", "")
    if request.endpoint == "static" and response.status_code == 200 and "v" in request.args:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif request.endpoint == "static":
        headers["Cache-Control"] = "no-cache"
    else:
        headers["Cache-Control"] = "no-store"
    if request.is_secure:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    _log(response)
    return response


def _log(response: Response) -> None:
    """One line per request: the route, never the address with its ids' texts or tokens."""
    if request.endpoint == "static":
        return
    held, caller = g.get("found"), bearers.known()
    user_id = caller.actor.user_id if caller else held.actor.user_id if held else None
    log.info(
        "request",
        request=g.get("request_id"),
        visitor=context.browser().reference,
        method=context.method(),
        route=str(request.url_rule) if request.url_rule else None,
        status=response.status_code,
        user_id=user_id,
        token_id=caller.token_id if caller else None,
        ms=round((monotonic() - g.get("began", monotonic())) * 1000, 1),
    )
