"""What stands in the side bar or the bottom bar, by role."""

from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from service.domain.appointments import outcomes
from service.domain.diary import waitlist
from service.domain.foundation.actor import Actor, Role
from service.domain.messages import message_log
from service.domain.patients import emergency_access
from service.domain.privacy import access_grants
from service.http import context
from service.language.translation import gettext as _

ROOMS = {
    "api_tokens": "jobs",
    "audit": "jobs",
    "clinic_reports": "reports",
    "clinic_exports": "jobs",
    "day_sheet": "today",
    "emergency_access": "patients",
    "erasures": "patients",
    "guardians": "patients",
    "affected_appointments": "time_off",
    "imports": "patients",
    "looks": "treatments",
    "merging": "patients",
    "call_list": "messages",
    "upcoming_reminders": "messages",
    "offers": "waitlist",
    "patient_forms": "patients",
    "record_changes": "patients",
    "settings": "jobs",
    "system": "jobs",
    "visit_types": "doctors",
}
"""Pages that belong to a link of another blueprint."""


@dataclass(frozen=True)
class Entry:
    """A link of the navigation."""

    label: str
    url: str
    icon: str
    current: bool
    count: int | None = None


def groups(actor: Actor | None) -> list[dict[str, Any]]:
    """The groups of links this person works with, at most eight, with a count where work waits."""
    if actor is None:
        return []
    if actor.role == Role.PATIENT:
        visits = _entry(_("Appointments"), "appointments.index", "calendar3")
        book = _entry(_("Book"), "booking.new", "calendar-plus")
        history = _entry(_("History"), "treatments.history", "journal-medical")
        contact = _entry(_("Messages"), "consent.mine", "envelope")
        return [{"title": None, "entries": [visits, book, history, contact]}]
    today = _entry(_("Today"), "today.board", "calendar-event")
    calendar = _entry(_("Calendar"), "calendar.show", "calendar3")
    people = _entry(_("Patients"), "patients.index", "people")
    session = context.reading()
    if actor.role == Role.ADMIN:
        dashboard = _entry(_("Dashboard"), "dashboard.dashboard", "speedometer2")
        reports = _entry(_("Reports"), "reports.index", "file-earmark-text")
        doctors = _entry(_("Doctors"), "doctors.index", "heart-pulse")
        told = _entry(_("Messages"), "messages.index", "envelope", message_log.to_do(session))
        users = _entry(_("Users"), "users.index", "person-gear")
        to_look_at = emergency_access.count_unseen(session) + access_grants.count_unseen(session)
        running = _entry(_("System"), "jobs.index", "clock-history", to_look_at)
        return [
            {"title": None, "entries": [dashboard, today, people, told, reports]},
            {"title": _("Administration"), "entries": [doctors, users, running]},
        ]
    open_visits = outcomes.count_to_complete(session, actor, context.wiring().settings.clinic.zone)
    away = _entry(_("Time off"), "time_off.index", "calendar-x")
    if actor.role == Role.DOCTOR:
        close = _entry(_("Close the day"), "outcomes.to_complete", "check-circle", open_visits)
        mine = _entry(_("My reports"), "reports.index", "file-earmark-text")
        figures = _entry(_("My statistics"), "figures.show", "speedometer2")
        return [{"title": None, "entries": [today, calendar, people, close, away, mine, figures]}]
    waiting = _entry(_("Waitlist"), "waitlist.index", "hourglass-split", waitlist.count(session, actor))
    complete = _entry(_("To complete"), "outcomes.to_complete", "check-circle", open_visits)
    told = _entry(_("Messages"), "messages.index", "envelope", message_log.to_do(session))
    hours = _entry(_("Doctors' hours"), "doctors.index", "clock-history")
    return [
        {"title": None, "entries": [today, calendar, people, told, waiting, complete]},
        {"title": _("Clinic"), "entries": [hours, away]},
    ]


def _entry(label: str, endpoint: str, icon: str, count: int | None = None) -> Entry:
    here = request.blueprint or ""
    current = ROOMS.get(here, here) == endpoint.partition(".")[0]
    return Entry(label, url_for(endpoint), icon, current, count)
