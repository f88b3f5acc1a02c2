"""The admin's home: the clinic's figures, at most five minutes old, and whether the jobs run."""

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from service.health import health, unfinished
from service.http import cache, context
from service.web import notices
from service.web.clinic import jobs
from service.web.messages.messages import sending
from service.web.reports import figure_views

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/dashboard")
def dashboard() -> ResponseReturnValue:
    """Figures from the cache; the state of the jobs as of now."""
    stats = cache.dashboard_stats(context.actor())
    states = health.of_all(context.reading(), context.wiring().settings)
    return render_template(
        "reports/dashboard.html",
        **figure_views.common(stats),
        week=figure_views.week(stats["next_days"]),
        doctors=figure_views.doctors(stats["next_by_doctor"]),
        heat=figure_views.heat(stats["busy_hours"]),
        jobs=jobs.table(states),
        sending=sending(),
        todos=unfinished.todos(context.reading(), context.wiring().settings),
        trouble=context.wiring().restart.trouble,
        health=health.checks(context.reading(), states, context.wiring().settings),
    )


@blueprint.post("/dashboard")
def refresh() -> ResponseReturnValue:
    """Count the figures again."""
    cache.dashboard_stats(context.actor(), refresh=True)
    notices.say("refreshed")
    return redirect(url_for("dashboard.dashboard"), 303)
