"""What stands in the side bar or the bottom bar, by role."""

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from service.domain.actor import Actor, Role
from service.translation import gettext as _


@dataclass(frozen=True)
class Entry:
    """A link of the navigation."""

    label: str
    url: str
    icon: str
    current: bool
    count: int | None = None


def groups(actor: Actor | None) -> list[dict[str, Any]]:
    """The groups of links this person works with."""
    if actor is None:
        return []
    today = _entry(_("Today"), "today.board", "calendar-event")
    reports = _entry(_("Reports"), "reports.index", "file-earmark-text")
    if actor.role == Role.PATIENT:
        visits = _entry(_("Visits"), "appointments.index", "calendar3")
        history = _entry(_("History"), "treatments.history", "journal-medical")
        return [{"title": None, "entries": [visits, history]}]
    if actor.role == Role.RECEPTIONIST:
        return [{"title": None, "entries": [today]}]
    if actor.role == Role.DOCTOR:
        mine = _entry(_("My reports"), "reports.index", "file-earmark-text")
        return [{"title": None, "entries": [today, mine]}]
    dashboard = _entry(_("Dashboard"), "dashboard.dashboard", "speedometer2")
    running = _entry(_("Jobs"), "jobs.index", "clock-history")
    return [
        {"title": None, "entries": [dashboard, today, reports]},
        {"title": _("Running it"), "entries": [running]},
    ]


def _entry(label: str, endpoint: str, icon: str) -> Entry:
    current = request.blueprint == endpoint.partition(".")[0]
    return Entry(label, url_for(endpoint), icon, current)
