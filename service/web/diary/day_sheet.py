"""The printed day sheets, one per doctor."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.diary import day_sheets
from service.domain.foundation.errors import NotFound
from service.http import context
from service.web.date_fields import day_of_address
from service.web.local_times import row_id_of

blueprint = Blueprint("day_sheet", __name__)


@blueprint.get("/today/sheet")
def show() -> ResponseReturnValue:
    """Show the sheets of a day (`?date=`) of all doctors or one (`?doctor_id=`); a doctor sees their own."""
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    day = day_of_address() or clock.today(zone)
    asked = request.args.get("doctor_id", "")
    doctor_id = row_id_of(asked)
    if asked and doctor_id is None:
        raise NotFound
    sheets = day_sheets.of_day(session, actor, day, zone, doctor_id=doctor_id)
    page = render_template(
        "diary/today/sheet.html",
        day=day,
        sheets=sheets,
        board_url=url_for("today.board", date=request.args.get("date"), doctor_id=doctor_id),
    )
    # A full disk must not keep anyone from the paper: then only the log knows of it.
    with context.transaction_if_possible("day_sheet.view") as writing:
        day_sheets.note_printed(writing, actor, day, sheets)
    return page
