"""Calendar entries of appointments (iCalendar, RFC 5545 and 5546): the same entry over all moves, and no word of why.

Times are in UTC, which every calendar program reads alike; each shows them on its own wall clock. A time zone would
have to travel as rules that programs read differently, or replace by tables of their own that may be old.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parseaddr

from sqlalchemy.orm import Session

from service import clock, mail_addresses
from service.config.settings import Settings
from service.domain.foundation import installation
from service.domain.outbox import message_rules
from service.language.rendering import one_line
from service.language.translation import gettext as _
from service.notifications.message import Attachment
from service.storage.models import Appointment, Message

NOBODY = "invalid:nomail"
"""The organizer while the clinic has no address to send mail from."""


def entries(
    session: Session, message: Message, visits: Sequence[Appointment], settings: Settings
) -> tuple[Attachment, ...]:
    """One calendar file for each appointment of a message, where its rule has one."""
    method = message_rules.of(message.rule).calendar
    if not method:
        return ()
    return tuple(
        Attachment(
            name="visit.ics" if len(visits) == 1 else f"visit-{turn}.ics",
            content_type=f"text/calendar; method={method}; charset=utf-8",
            content=_calendar(session, message, visit, settings, method),
        )
        for turn, visit in enumerate(visits, 1)
    )


def _calendar(session: Session, message: Message, visit: Appointment, settings: Settings, method: str) -> bytes:
    from icalendar import Calendar, Event, vCalAddress  # takes 150 ms: only who sends such a message pays

    clinic, first, now = settings.clinic, _first(session, visit), clock.now()
    organizer = vCalAddress(_organizer(settings))
    organizer.params["CN"] = one_line(clinic.name)
    attendee = vCalAddress(f"mailto:{mail_addresses.as_sent(message.recipient or '')}")
    attendee.params["PARTSTAT"] = "ACCEPTED"
    attendee.params["RSVP"] = "FALSE"
    event = Event()
    event.add("uid", first.calendar_uid or f"visit-{first.id}@{installation.clinic_id(session)}")
    event.add("sequence", _sequence(first.created_at, now))
    event.add("dtstamp", now)
    event.add("dtstart", visit.starts_at.astimezone(UTC))
    event.add("dtend", visit.ends_at.astimezone(UTC))
    event.add("summary", _("Appointment at %(clinic)s") % {"clinic": one_line(clinic.name)})
    event.add("description", one_line(visit.doctor.name))
    event.add("location", one_line(clinic.name))
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("organizer", organizer)
    event.add("attendee", attendee)
    calendar = Calendar()
    calendar.add("prodid", "-//Rounds//Rounds//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written


def _first(session: Session, visit: Appointment) -> Appointment:
    """The appointment as it was booked first: its number names the entry over all moves."""
    while visit.rescheduled_from_id is not None:
        visit = session.get_one(Appointment, visit.rescheduled_from_id)
    return visit


def _organizer(settings: Settings) -> str:
    """The sender of the e-mail. Calendar programs accept an entry, and its cancellation, only from its organizer."""
    _name, address = parseaddr(settings.email.sender)
    return f"mailto:{mail_addresses.as_sent(address)}" if address and settings.email.enabled else NOBODY


def _sequence(since: datetime, now: datetime) -> int:
    """Later messages have higher numbers: tenths of a second since the first booking, within 32 bits."""
    return min(max(0, int((now - since).total_seconds() * 10)), 2**31 - 1)
