"""The board of the day: booked, arrived, completed, and canceled or no-show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, assert_never

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.appointments import appointments, possible
from service.domain.appointments.free_times import FreeTime
from service.domain.clinic import zone_changes
from service.domain.diary import waitlist
from service.domain.foundation import job_runs
from service.domain.foundation.actor import Actor, Role
from service.domain.messages import call_lists
from service.domain.outbox import reminders
from service.http import context
from service.language.translation import gettext as _
from service.storage.models import Appointment, AppointmentStatus, RunStatus, RunTrigger
from service.web.appointments.visits import COLOURS, Visit, visits
from service.web.date_fields import day_of_address
from service.web.local_times import valid_row_id, written
from service.web.messages.messages import sending

blueprint = Blueprint("today", __name__)
NEXT = 200
LATEST = 30
"""So many booked ones, and of those that are settled the latest, stand on the board unless all are asked for."""


class Key(StrEnum):
    """The columns of the board, in order."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    NOT_COMING = "not_coming"


@dataclass(frozen=True)
class Column:
    """One column of the board."""

    key: Key
    title: str
    visits: list[Visit]
    left_out: int
    """How many more there are."""


@blueprint.get("/today")
def board() -> ResponseReturnValue:
    """Show the board of a day (`?date=`) of all doctors or one (`?doctor_id=`); a doctor sees their own.

    Left alone for too long, it keeps refreshing without phone numbers, notes, and buttons until it is unlocked.
    """
    watcher = context.watcher()
    actor, session, zone = watcher or context.actor(), context.reading(), context.wiring().settings.clinic.zone
    today = clock.today(zone)
    day, chosen = today, _doctor(actor)
    if watcher is None:  # no one leafs through a locked board
        day = day_of_address() or today
    rows = appointments.day(session, actor, day, zone, chosen)
    columns = _columns(rows, actor)
    if watcher is not None:
        here = request.full_path.rstrip("?")
        return render_template("diary/today/locked.html", day=day, columns=columns, name=actor.name, here=here)
    others = [] if actor.role == Role.DOCTOR else appointments.doctors(session)
    return render_template(
        "diary/today/board.html",
        day=day,
        is_today=day == today,
        previous_url=url_for("today.board", date=day - timedelta(days=1), doctor_id=chosen)
        if day.year > 2000
        else None,
        next_url=url_for("today.board", date=day + timedelta(days=1), doctor_id=chosen) if day.year < 2100 else None,
        today_url=url_for("today.board", doctor_id=chosen),
        all_url=url_for("today.board", date=request.args.get("date"), doctor_id=chosen, all=1),
        doctors=[{"id": one.id, "name": one.name, "colour": one.id % COLOURS} for one in others],
        chosen_doctor_id=chosen,
        columns=columns,
        fits=_fits(columns[-1].visits),
        summary={
            "total": len(rows),
            "doctor_count": len({one.doctor_id for one in rows}),
            "next_visit": next((one for one in rows if possible.is_ahead(one)), None),
        },
        zone_changes=[] if actor.role == Role.DOCTOR else zone_changes.unseen(session),
        sending=None if actor.role == Role.DOCTOR else sending(),
        reminders=None if actor.role == Role.DOCTOR else _reminders(day),  # the desk calls, not the doctor
    )


def _fits(shown: list[Visit]) -> dict[int, dict[str, Any]]:
    """Return the canceled upcoming appointments whose slot is free again and suits someone on the waitlist."""
    if context.actor().role == Role.DOCTOR:
        return {}
    freed = {
        FreeTime(one.starts_at, one.ends_at, one.doctor_id): one
        for one in shown
        if one.status == AppointmentStatus.CANCELLED and one.starts_at > clock.now()
    }
    counts = waitlist.count_fits(context.reading(), context.wiring().settings.clinic.zone, list(freed))
    return {
        freed[time].id: {"count": count, "value": written(time.starts_at)} for time, count in counts.items() if count
    }


def _columns(rows: Sequence[Appointment], actor: Actor) -> list[Column]:
    """Return the columns; long ones hold the next booked, or the latest completed and canceled appointments."""
    by_key: dict[Key, list[Appointment]] = {key: [] for key in Key}
    for row in rows:
        by_key[_key(row.status)].append(row)
    columns = []
    for key, found in by_key.items():
        shown = found if "all" in request.args else _shown(key, found)
        if key is Key.COMPLETED:
            shown = shown[::-1]  # what was done last is asked for most
        columns.append(Column(key, _title(key), visits(shown, actor), left_out=len(found) - len(shown)))
    return columns


def _key(status: AppointmentStatus) -> Key:
    match status:
        case AppointmentStatus.BOOKED:
            return Key.BOOKED
        case AppointmentStatus.ARRIVED:
            return Key.ARRIVED
        case AppointmentStatus.COMPLETED:
            return Key.COMPLETED
        case AppointmentStatus.CANCELLED | AppointmentStatus.NO_SHOW:
            return Key.NOT_COMING
        case _:
            assert_never(status)


def _shown(key: Key, found: Sequence[Appointment]) -> Sequence[Appointment]:
    """Return the appointments of a column that the board shows."""
    match key:
        case Key.BOOKED:
            return found[:NEXT]
        case Key.ARRIVED:
            return found
        case Key.COMPLETED | Key.NOT_COMING:
            return found[-LATEST:]
        case _:
            assert_never(key)


def _title(key: Key) -> str:
    match key:
        case Key.BOOKED:
            return _("Booked")
        case Key.ARRIVED:
            return _("Arrived")
        case Key.COMPLETED:
            return _("Completed")
        case Key.NOT_COMING:
            return _("Canceled or no-show")
        case _:
            assert_never(key)


def _doctor(actor: Actor) -> int | None:
    asked = request.args.get("doctor_id", "")
    if actor.role == Role.DOCTOR or not asked:
        return None
    return valid_row_id(asked)


def _reminders(day: date) -> dict[str, Any] | None:
    """Return the outcome of this day's reminders from the ledger and the outbox; None if there were none."""
    session, zone = context.reading(), context.wiring().settings.clinic.zone
    run = job_runs.of_slot(session, "send_daily_reminders", day.isoformat())
    tally = reminders.total(session, reminders.of_day(day, zone))
    empty = not (tally.sent or tally.failed or tally.unknown or tally.queued or tally.skipped)
    if empty and (run is None or run.status == RunStatus.SKIPPED):
        return None
    return {
        **tally.as_dict(),
        "stayed_here": tally.stayed_here,
        "to_call": call_lists.count_to_call(session, day, context.wiring().settings),
        "status": run.status if run else None,
        "started_at": run.started_at if run else None,
        "late": bool(run and run.trigger == RunTrigger.CATCHUP),
    }
