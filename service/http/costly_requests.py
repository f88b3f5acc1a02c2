"""Budgets for costly requests, counted before they run: per account, or per network for visitors."""

from collections.abc import Mapping

from flask import Flask, request

from service.domain.foundation.throttle import Act
from service.http import bearers, context

COSTLY: Mapping[str, Act] = {
    **dict.fromkeys(
        (
            "patients.index",
            "messages.index",
            "users.index",
            "merging.choose",
            "waitlist.new",
            "audit.index",
            "audit.file",
            "api.patients.index",
        ),
        Act.SEARCH,
    ),
    **dict.fromkeys(
        (
            "booking.new",
            "booking.move",
            "affected_appointments.show",
            "visit_links.times",
            "waitlist.fits",
            "api.doctors.free_times",
            "api.doctors.any_free_times",
        ),
        Act.FREE_TIMES,
    ),
    **dict.fromkeys(("reports.remake", "clinic_reports.remake", "dashboard.refresh"), Act.FIGURES),
    **dict.fromkeys(("exports.create", "clinic_exports.create", "api.exports.create"), Act.EXPORT),
    **dict.fromkeys(("imports.upload", "imports.step"), Act.IMPORT),
}
"""Endpoint -> the budget it counts against."""


def install(app: Flask) -> None:
    """Count each costly request. Raises RuntimeError for an endpoint that doesn't exist."""
    unknown = COSTLY.keys() - {rule.endpoint for rule in app.url_map.iter_rules()}
    if unknown:
        raise RuntimeError(f"costly requests: no route for {sorted(unknown)}")
    app.before_request(_count)


def _count() -> None:
    """Raise Throttled if the budget is used up. What visitors in the same network use doesn't count for accounts."""
    act = COSTLY.get(request.endpoint or "")
    if act is not None:
        caller = bearers.known()
        actor = caller.actor if caller else context.visitor()
        account = actor.user_id if actor else None
        network = context.address() if account is None else None
        context.wiring().meter.spend(act, account=account, network=network)
