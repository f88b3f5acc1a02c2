"""A series: the same appointment repeated every few days, booked all or none."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service.config.settings import Booking, Clinic
from service.domain.appointments import booking, free_times
from service.domain.appointments.admission import Taken
from service.domain.appointments.requests import SeriesRequest
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid
from service.domain.outbox import announcements
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.storage.models import Appointment

MOST = 20
LONGEST_STEP = 28


def book(session: Session, actor: Actor, request: SeriesRequest, rules: Booking, clinic: Clinic) -> list[Appointment]:
    """Book all appointments of a series, all with the doctor of the first.

    Raises what booking.book() raises; Invalid and Taken name the day that does not fit, and then none is booked.
    """
    if actor.role == Role.PATIENT:
        raise Forbidden(_("To book several appointments at once, please call the clinic."))
    if not (1 <= request.count <= MOST and 1 <= request.every_days <= LONGEST_STEP):
        raise Invalid(_("A series can have up to 20 appointments, at most 28 days apart."), "count")
    zone, visits = clinic.zone, list[Appointment]()
    wanted = request.first
    for turn in range(request.count):
        at = _same_time(request.first.starts_at, turn * request.every_days, zone)
        try:
            visit, _is_new = booking.make(session, actor, replace(wanted, starts_at=at), rules, zone)
        except Taken as error:
            raise Taken(_on_day(error, at, clinic)) from None
        except Invalid as error:
            raise Invalid(_on_day(error, at, clinic), error.field) from None
        visits.append(visit)
        wanted = replace(wanted, doctor_id=visit.doctor_id)
    if request.count > 1:
        for visit in visits:
            visit.series_id = visits[0].id
    announcements.booked(session, visits[0])
    return visits


def _same_time(starts_at: datetime, days: int, zone: ZoneInfo) -> datetime:
    local = starts_at.astimezone(zone) + timedelta(days=days)
    at = free_times.local_instant(local.date(), local.time(), zone)
    if at is None:
        raise Invalid(_("The clocks change on one of these days. Choose another time."), "starts_at")
    return at


def _on_day(error: Exception, at: datetime, clinic: Clinic) -> str:
    words = {"day": Formats(clinic).local_day(at), "why": str(error)}
    return _("The series wasn't booked. Problem on %(day)s: %(why)s") % words
