"""The day at the clinic: who is booked, here, done, not coming."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock, context
from service.domain import appointments, job_runs, reminders
from service.domain.actor import Actor, Role
from service.domain.errors import NotFound
from service.translation import gettext as _
from service.web.visits import COLOURS, Visit, visits

blueprint = Blueprint("today", __name__)


@dataclass(frozen=True)
class Column:
    """One column of the board."""

    key: str
    title: str
    visits: list[Visit]


@blueprint.get("/today")
def board() -> ResponseReturnValue:
    """The board of a day (`?date=`), of all doctors or one (`?doctor_id=`); a doctor sees their own."""
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    today = clock.today(zone)
    day, chosen = _day(today), _doctor(actor)
    shown = visits(appointments.day(session, actor, day, zone, chosen), actor)
    others = [] if actor.role == Role.DOCTOR else appointments.doctors(session)
    now = clock.now()
    return render_template(
        "today/board.html",
        day=day,
        is_today=day == today,
        previous_url=url_for("today.board", date=day - timedelta(days=1), doctor_id=chosen)
        if day.year > 2000
        else None,
        next_url=url_for("today.board", date=day + timedelta(days=1), doctor_id=chosen) if day.year < 2100 else None,
        today_url=url_for("today.board", doctor_id=chosen),
        doctors=[{"id": one.id, "name": one.name, "colour": one.id % COLOURS} for one in others],
        chosen_doctor_id=chosen,
        columns=_columns(shown),
        summary={
            "total": len(shown),
            "doctor_count": len({one.doctor_id for one in shown}),
            "next_visit": next((one for one in shown if one.status == "booked" and one.starts_at > now), None),
        },
        reminders=None if actor.role == Role.DOCTOR else _reminders(day),  # the desk calls, not the doctor
    )


def _columns(shown: list[Visit]) -> list[Column]:
    columns = {
        "booked": Column("booked", _("Booked"), []),
        "arrived": Column("arrived", _("Arrived"), []),
        "completed": Column("completed", _("Completed"), []),
        "not_coming": Column("not_coming", _("Not coming"), []),
    }
    for one in shown:
        columns[one.status if one.status in columns else "not_coming"].visits.append(one)
    columns["completed"].visits.reverse()  # what was done last is asked for most
    return list(columns.values())


def _day(today: date) -> date:
    asked = request.args.get("date")
    if asked is None:
        return today
    try:
        day = datetime.strptime(f"{asked}+0000", "%Y-%m-%d%z").date()
    except ValueError:
        raise NotFound from None
    if not 2000 <= day.year <= 2100:
        raise NotFound
    return day


def _doctor(actor: Actor) -> int | None:
    asked = request.args.get("doctor_id", "")
    if actor.role == Role.DOCTOR or not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) < 20) or int(asked) >= 2**63:
        raise NotFound
    return int(asked)


def _reminders(day: date) -> dict[str, Any] | None:
    """How the reminders of this day went, from the ledger and the outbox; None when there were none."""
    session, zone = context.reading(), context.wiring().settings.clinic.zone
    run = job_runs.of_slot(session, "send_daily_reminders", day.isoformat())
    tally = reminders.total(session, day, zone)
    empty = not (tally.sent or tally.failed or tally.unknown or tally.queued or tally.skipped)
    if empty and (run is None or run.status == "skipped"):
        return None
    return {
        **tally.as_dict(),
        "status": run.status if run else None,
        "started_at": run.started_at if run else None,
        "late": bool(run and run.trigger == "catchup"),
    }
