"""Appointments that kept their local time when the rules of the clock changed, and those that could not."""

from collections.abc import Mapping
from datetime import datetime

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.domain.clinic import zone_changes
from service.domain.clinic.rederiving import Why
from service.http import context
from service.language.translation import gettext as _
from service.web import notices
from service.web.appointments.visits import visits

blueprint = Blueprint("zone_changes", __name__)


@blueprint.get("/zone-changes/<row_id:change_id>")
def show(change_id: int) -> ResponseReturnValue:
    """One change: how many appointments kept their local time, and a list of those the desk has to look at."""
    session, actor = context.reading(), context.actor()
    change = zone_changes.fetch(session, actor, change_id)
    left = zone_changes.left(session, change)
    return render_template(
        "clinic/zone_change.html",
        change=change,
        visits=visits(left, actor),
        promised={int(row_id): _promised(one) for row_id, one in change.problems.items()},
        whys={
            Why.SKIPPED: _("The clocks now skip this time."),
            Why.OVERLAP: _("It would overlap another appointment."),
        },
        why={int(row_id): Why(one["why"]) for row_id, one in change.problems.items()},
    )


@blueprint.post("/zone-changes/<row_id:change_id>/seen")
def mark_seen(change_id: int) -> ResponseReturnValue:
    """The desk has looked at it."""
    with context.transaction() as session:
        zone_changes.mark_seen(session, context.actor(), change_id)
    notices.say("zone_change_seen")
    return redirect(url_for("today.board"), 303)


def _promised(problem: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(problem["local_start"]).replace(tzinfo=context.wiring().settings.clinic.zone)
