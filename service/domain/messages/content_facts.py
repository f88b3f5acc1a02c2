"""What a message tells: the facts behind its variables, each on one line; nothing of why someone comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic, Settings
from service.domain.accounts import user_tokens
from service.domain.appointments import appointments
from service.domain.diary import affected_appointments
from service.domain.messages import call_lists
from service.domain.outbox import message_rules, subjects
from service.domain.outbox.subjects import Kind, Subject
from service.domain.patients import details
from service.language import catalogs
from service.language.formats import Formats
from service.language.rendering import one_line
from service.language.translation import gettext as _
from service.storage.models import (
    Appointment,
    AppointmentStatus,
    CancelledBy,
    Doctor,
    Export,
    Message,
    Offer,
    Patient,
    Report,
    User,
)


@dataclass(frozen=True)
class Facts:
    """The values of a template's variables, and the times to choose from: in words, and as a form writes them."""

    values: dict[str, str]
    times: Sequence[tuple[str, str]] = ()


def language_of(message: Message, clinic: Clinic) -> str:
    """The language of a message: its recipient's, else the clinic's."""
    return catalogs.known(message.language or clinic.tongue)


def with_series(session: Session, message: Message, visits: Sequence[Appointment]) -> Sequence[Appointment]:
    """The appointments a message lists: a series is confirmed in one go."""
    if message.rule != "booking_confirmation" or not visits or visits[0].series_id is None:
        return visits
    series = appointments.with_people().where(
        Appointment.series_id == visits[0].series_id,
        Appointment.patient_id == visits[0].patient_id,
        Appointment.status == AppointmentStatus.BOOKED,
    )
    return session.scalars(series.order_by(Appointment.starts_at, Appointment.id)).all()


def of(session: Session, message: Message, visits: Sequence[Appointment], settings: Settings) -> Facts:
    """The facts for a message's template; `visits` are those it lists, its own first."""
    clinic = settings.clinic
    words = Formats(clinic, language_of(message, clinic))
    values = {
        "clinic_name": one_line(clinic.name),
        "clinic_phone": clinic.phone,
        "by_phone": f" ({clinic.phone})" if clinic.phone else "",
    }
    if visits:
        return Facts(
            values | _of_visits(session, message, visits, words, clinic), _times(session, message, words, clinic)
        )
    subject = subjects.of(message)
    if subject is not None:
        values |= _of_subject(session, subject, message, words, settings)
    one_time = message_rules.of(message.rule).one_time
    if one_time:
        values["until"] = words.when(clock.now() + user_tokens.LASTING[one_time])
    if message.user_id is not None:
        values["name"] = one_line(session.get_one(User, message.user_id).name)
    return Facts(values)


def _of_subject(
    session: Session, subject: Subject, message: Message, words: Formats, settings: Settings
) -> dict[str, str]:
    match subject.kind:
        case Kind.OFFER:
            return _of_offer(session, session.get_one(Offer, int(subject.key)), message, words)
        case Kind.EXPORT:
            return {"until": words.when(session.get_one(Export, subject.key).expires_at or clock.now())}
        case Kind.REPORT:
            return {"month": words.month(clock.first_of_month(session.get_one(Report, int(subject.key)).month))}
        case Kind.MORNING_SHEET:
            return _of_sheet(session, date.fromisoformat(subject.key), words, settings)
        case never:
            assert_never(never)


def _of_visits(
    session: Session, message: Message, visits: Sequence[Appointment], words: Formats, clinic: Clinic
) -> dict[str, str]:
    first = visits[0]
    several = len({visit.patient_id for visit in visits}) > 1
    ordered = sorted(visits, key=lambda one: one.starts_at)
    lines = []
    for visit in ordered:
        who = f"{one_line(visit.patient.name)}: " if several else ""
        lines.append(f"  {who}{words.when(visit.starts_at)}, {one_line(visit.doctor.name)}")
    values = {
        "patient_first_name": one_line(details.greeted(first.patient)),
        "doctor": one_line(first.doctor.name),
        "date": words.local_day(first.starts_at),
        "time": words.clock(first.starts_at),
        "visits": "\n".join(lines),
        "visits_short": "; ".join(words.when(visit.starts_at) for visit in ordered),
    }
    if message.rule == "visit_cancelled":
        by_clinic = first.cancelled_by == CancelledBy.CLINIC
        values["cancelled_by"] = (
            _("We had to cancel this appointment") if by_clinic else _("This appointment was canceled as you asked")
        )
    if message.rule == "visit_moved" and first.rescheduled_from_id is not None:
        before = session.get_one(Appointment, first.rescheduled_from_id).starts_at
        values["old_date"] = words.local_day(before)
        values["old_time"] = words.clock(before)
    return values


def _of_offer(session: Session, offer: Offer, message: Message, words: Formats) -> dict[str, str]:
    return {
        "patient_first_name": one_line(details.greeted(session.get_one(Patient, message.patient_id))),
        "doctor": one_line(session.get_one(Doctor, offer.doctor_id).name),
        "date": words.local_day(offer.starts_at),
        "time": words.clock(offer.starts_at),
        "until": words.clock(offer.expires_at),
    }


def _of_sheet(session: Session, day: date, words: Formats, settings: Settings) -> dict[str, str]:
    sheet = call_lists.of_day(session, day, settings)
    lines = []
    for entry in sheet.to_call:
        at = words.when(entry.message.starts_at) if entry.message.starts_at else ""
        lines.append(f"  {at}  {one_line(entry.patient_name)}  {words.phone(entry.phone) if entry.phone else '–'}")
    return {
        "date": words.day(day),
        "told": str(sheet.told),
        "failed": str(sheet.failed),
        "skipped": str(sheet.no_address),
        "waiting": str(sheet.waiting),
        "calls": "\n".join(lines) or "  –",
    }


def _times(session: Session, message: Message, words: Formats, clinic: Clinic) -> Sequence[tuple[str, str]]:
    """The times that are proposed instead of an appointment's own."""
    if message.rule != "move_proposal" or message.appointment_id is None:
        return []
    names = {row.id: row.name for row in session.execute(select(Doctor.id, Doctor.name))}
    return [
        (
            f"{words.when(time.starts_at)}, {one_line(names[time.doctor_id])}",
            f"{time.starts_at.astimezone(clinic.zone):%Y-%m-%dT%H:%M}",
        )
        for time in affected_appointments.proposed(session, message.appointment_id)
    ]
