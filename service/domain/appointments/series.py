"""A series: the same visit every so many days, booked in one go or not at all."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service.domain.appointments import booking, free_times
from service.domain.appointments.booking import Taken
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid
from service.domain.outbox import announcements
from service.language.translation import gettext as _
from service.storage.models import Appointment

MOST = 20
LONGEST_STEP = 28


def book(
    session: Session, actor: Actor, *, starts_at: datetime, zone: ZoneInfo, count: int, every_days: int, **wish: Any
) -> list[Appointment]:
    """Book `count` visits, each `every_days` after the one before at the same time of the clinic's day.

    The first decides the doctor, `wish` is the rest of what booking.book() takes. Raises what that raises;
    Invalid and Taken name the day that does not fit, and then none is booked.
    """
    if actor.role == Role.PATIENT:
        raise Forbidden(_("Please call the clinic to book a series."))
    if not (1 <= count <= MOST and 1 <= every_days <= LONGEST_STEP):
        raise Invalid(_("A series has up to 20 visits, at most 28 days apart."), "count")
    visits: list[Appointment] = []
    for turn in range(count):
        at = _same_time(starts_at, turn * every_days, zone)
        try:
            visit = booking.book(session, actor, starts_at=at, zone=zone, announce=False, **wish)
        except Taken as error:
            raise Taken(_on_day(error, at, zone)) from None
        except Invalid as error:
            raise Invalid(_on_day(error, at, zone), error.field) from None
        visits.append(visit)
        wish["doctor_id"] = visit.doctor_id
    if count > 1:
        for visit in visits:
            visit.series_id = visits[0].id
    announcements.booked(session, visits[0])
    return visits


def _same_time(starts_at: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = starts_at.astimezone(zone) + timedelta(days=days)
    at = free_times.local_instant(local.date(), local.time(), zone)
    if at is None:
        raise Invalid(_("The clocks change on one of these days: choose another time."), "starts_at")
    return at


def _on_day(error: Exception, at: datetime, zone: ZoneInfo) -> str:
    words = {"day": f"{at.astimezone(zone):%Y-%m-%d}", "why": str(error)}
    return _("On %(day)s: %(why)s None of the series is booked.") % words
