"""The small figures: a doctor's own, and the day's for the desk; at most five minutes old."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from service.domain.foundation.actor import Role
from service.http import cache, context
from service.web.reports import figure_views

blueprint = Blueprint("figures", __name__)


@blueprint.get("/figures")
def show() -> ResponseReturnValue:
    """Whose figures it shows is decided by who asks."""
    actor = context.actor()
    if actor.role == Role.DOCTOR:
        stats = cache.doctor_stats(actor)
        return render_template(
            "reports/figures/doctor.html",
            **figure_views.common(stats),
            week=figure_views.week(stats["next_days"]),
            heat=figure_views.heat(stats["busy_hours"]),
        )
    of_day = cache.desk_stats(actor)
    return render_template(
        "reports/figures/desk.html",
        **figure_views.common(of_day),
        doctors=figure_views.doctors(of_day["today_by_doctor"]),
    )
