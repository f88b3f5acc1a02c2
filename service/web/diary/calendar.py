"""The calendar: a day with doctors as columns, a doctor's week with days as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, assert_never

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service import clock
from service.domain.diary import calendar
from service.domain.diary.calendar import Booked, Day
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.http import context
from service.language.translation import gettext as _
from service.storage.models import AppointmentStatus, Doctor
from service.web.appointments.visits import COLOURS
from service.web.date_fields import asked_day
from service.web.diary.calendar_grid import Column, Kind, Thing, grid
from service.web.local_times import row_id_of

blueprint = Blueprint("calendar", __name__)
MOST_DOCTORS = 20
WEEK = 7


@dataclass(frozen=True)
class View:
    """The view that the URL asks for."""

    week: bool
    day: date
    days: Sequence[date]
    doctors: Sequence[Doctor]
    """Whose columns are shown: at most 20, in a week one."""
    all_doctors: int
    """How many there would be without that limit."""
    doctor_id: int | None
    department: str

    def url(self, **changed: Any) -> str:
        """Return the URL of this view with something changed."""
        asked = {
            "date": self.day.isoformat(),
            "view": "week" if self.week else None,
            "doctor_id": self.doctor_id,
            "department": self.department or None,
        }
        return url_for("calendar.show", **{**asked, **changed})

    def step(self, way: int) -> str | None:
        """Return the URL of the previous (-1) or next (1) view; None outside 2000 to 2100."""
        day = self.day + timedelta(days=way * (WEEK if self.week else 1))
        return self.url(date=day.isoformat()) if 2000 <= day.year <= 2100 else None


@blueprint.get("/calendar")
def show() -> ResponseReturnValue:
    """Show a day (`?date=`) of a department or one doctor, or with `view=week` a doctor's week."""
    actor, session, zone = context.actor(), context.reading(), context.wiring().settings.clinic.zone
    asked = asked_day("date")
    view = _asked(actor, asked.day)
    days = calendar.days(session, view.days[0], view.days[-1], zone, [doctor.id for doctor in view.doctors])
    cancelled = [one for day in days for one in day.visits if one.status == AppointmentStatus.CANCELLED]
    everybody = [] if actor.role == Role.DOCTOR else calendar.doctors(session, actor)
    page = render_template(
        "diary/calendar.html",
        view=view,
        asked_day=asked,
        grid=grid(_columns(view, days, may_offer=actor.role != Role.DOCTOR), context.formats()),
        total=sum(visit.status != AppointmentStatus.CANCELLED for day in days for visit in day.visits),
        cancelled=[(one, _url(one)) for one in sorted(cancelled, key=lambda one: one.starts_at)],
        everybody=everybody,
        departments=sorted({doctor.department for doctor in everybody if doctor.department}),
        today=clock.today(zone),
    )
    return page, 400 if asked.error else 200


def _asked(actor: Actor, day: date) -> View:
    """Parse the rest of the URL. Raises NotFound for a view, doctor, or department that does not exist."""
    session = context.reading()
    kind, asked = request.args.get("view") or "day", request.args.get("doctor_id", "")
    doctor_id, department = row_id_of(asked), request.args.get("department", "")
    if kind not in ("day", "week") or (asked and doctor_id is None):
        raise NotFound
    found = calendar.doctors(session, actor, doctor_id=doctor_id, department=department)
    if not found and department:
        raise NotFound
    week, own = kind == "week", actor.role == Role.DOCTOR
    first = day - timedelta(days=context.formats().week.index(day.weekday()))
    return View(
        week=week,
        day=day,
        days=[first + timedelta(days=number) for number in range(WEEK)] if week else [day],
        doctors=found[: 1 if week else MOST_DOCTORS],
        all_doctors=1 if week else len(found),
        doctor_id=None if own else doctor_id,
        department="" if own else department,
    )


def _columns(view: View, days: Sequence[Day], *, may_offer: bool) -> list[Column]:
    by_day = {(day.doctor_id, day.day): day for day in days}
    return [
        Column(
            key=str(on) if view.week else str(doctor.id),
            title="" if view.week else doctor.name,
            colour=doctor.id % COLOURS,
            day=on,
            things=_things(by_day[doctor.id, on], may_offer=may_offer),
            count=sum(visit.status != AppointmentStatus.CANCELLED for visit in by_day[doctor.id, on].visits),
        )
        for doctor in view.doctors
        for on in view.days
    ]


def _things(day: Day, *, may_offer: bool) -> list[Thing]:
    """Return everything in a column."""
    zone = context.wiring().settings.clinic.zone
    found = [Thing(Kind.OPEN, one.starts_at.astimezone(zone), one.ends_at.astimezone(zone)) for one in day.blocks]
    found += [_visit(one) for one in day.visits if one.status != AppointmentStatus.CANCELLED]
    book = url_for("booking.new", doctor_id=day.doctor_id, date=day.day.isoformat()) if day.free else ""
    for starts_at, ends_at in day.free:
        starts = starts_at.astimezone(zone)
        found.append(
            Thing(Kind.FREE, starts, ends_at.astimezone(zone), f"{book}&time={starts.hour:02}:{starts.minute:02}")
        )
    for held in day.held:
        url = url_for("offers.show", offer_id=held.offer_id) if may_offer else ""
        starts, ends = held.starts_at.astimezone(zone), held.ends_at.astimezone(zone)
        found.append(Thing(Kind.HELD, starts, ends, url, held.patient_name, _("held")))
    return found


def _visit(one: Booked) -> Thing:
    zone = context.wiring().settings.clinic.zone
    state, title = _state(one)
    words = [title, _("overbooked") if one.overbooked else None, one.type_name]
    colour = one.doctor_id % COLOURS if one.colour is None else one.colour
    return Thing(
        Kind.VISIT,
        one.starts_at.astimezone(zone),
        one.ends_at.astimezone(zone),
        _url(one),
        one.patient_name,
        " · ".join(word for word in words if word),
        f" doctor-{colour} cal-{state}{' cal-over' if one.overbooked else ''}",
    )


def _state(one: Booked) -> tuple[str, str]:
    """Return an appointment's state as a class of calendar.css and in words."""
    match one.status:
        case AppointmentStatus.BOOKED if one.confirmed:
            return "confirmed", _("Confirmed")
        case AppointmentStatus.BOOKED:
            return "booked", _("Booked")
        case AppointmentStatus.ARRIVED:
            return "arrived", _("Arrived")
        case AppointmentStatus.COMPLETED:
            return "completed", _("Completed")
        case AppointmentStatus.NO_SHOW:
            return "no-show", _("No-show")
        case AppointmentStatus.CANCELLED:
            return "cancelled", _("Canceled")
        case _:
            assert_never(one.status)


def _url(visit: Booked) -> str:
    return f"/appointments/{visit.id}"  # url_for would cost more than all else about an appointment
