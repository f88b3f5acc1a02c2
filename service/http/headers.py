"""Security and cache headers of every response, and one log line per request."""

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
    """The request names a host that isn't ours."""

    description = _l("This service isn't known by that name. An administrator can set [clinic] public_url.")


def install(app: Flask, wiring: Wiring) -> None:
    """Give each request an id, and each response its headers."""
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
    """Return whether a Host header names this service. IP addresses always do: DNS can't redirect one to us."""
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
    """Log one line per request, with the route instead of the URL, which may hold ids or tokens."""
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
