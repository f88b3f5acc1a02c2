"""The call list: how the run of a day went, and whom to call."""

from datetime import timedelta

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.foundation import job_runs
from service.domain.messages import call_lists
from service.http import context
from service.web.date_fields import day_of_address
from service.web.messages.messages import sending

blueprint = Blueprint("call_list", __name__)


@blueprint.get("/messages/morning")
def show() -> ResponseReturnValue:
    """The sheet of today, or of `?date=`."""
    settings = context.wiring().settings
    today = clock.today(settings.clinic.zone)
    day = day_of_address() or today
    sheet = call_lists.of_day(context.reading(), day, settings)
    skipped = job_runs.why_skipped(sheet.run) if sheet.run else None
    return render_template(
        "messages/call_list.html",
        sheet=sheet,
        why_skipped=skipped.words if skipped else "",
        is_today=day == today,
        previous_url=url_for("call_list.show", date=day - timedelta(days=1)) if day.year > 2000 else None,
        next_url=url_for("call_list.show", date=day + timedelta(days=1)) if day < today else None,
        today_url=url_for("call_list.show"),
        reminders_at=settings.jobs.reminders_at,
        sending=sending(),
    )
