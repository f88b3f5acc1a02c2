"""Offers: a free slot is held for someone on the waitlist until they accept, decline, or 20 minutes pass."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.config.settings import Booking
from service.domain.appointments import admission, booking, free_times, open_hours
from service.domain.appointments.admission import Wish
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.holds import HELD_FOR
from service.domain.appointments.requests import BookingRequest
from service.domain.diary import waitlist
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.outbox import announcements, subjects
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor, Message, Offer, Patient, WaitlistEntry


class Held(NamedTuple):
    """A slot that is held at the moment, as lists and calendars show it."""

    offer_id: int
    entry_id: int
    doctor_id: int
    doctor_name: str
    starts_at: datetime
    ends_at: datetime
    expires_at: datetime
    patient_name: str


class State(StrEnum):
    """The state of an offer as its patient sees it."""

    OPEN = "open"
    BOOKED = "booked"
    """They took it."""
    OVER = "over"


class Told(NamedTuple):
    """An offer as its patient sees it."""

    starts_at: datetime
    expires_at: datetime
    doctor_name: str
    state: State
    held: bool


def make(
    session: Session, actor: Actor, entry_id: int, *, doctor_id: int, starts_at: datetime, zone: ZoneInfo
) -> Offer:
    """Hold a slot (an instant) for a waitlist entry. The same offer again while it stands is the same one.

    Raises NotFound, Forbidden, Invalid (a past time, outside the hours, another doctor than they wait for), Taken,
    and Conflict for someone who does not wait any more or has another offer.
    """
    _check_desk(actor)
    entry = waitlist.to_change(session, actor, entry_id)
    admission.people(session, actor, entry.patient_id, [doctor_id])
    if entry.closed_at is not None:
        raise Conflict(_("This patient is no longer on the waitlist."))
    if entry.doctor_id not in (None, doctor_id):
        raise Invalid(_("This patient is waiting for a different doctor."), "doctor_id")
    now = clock.now()
    for other in session.scalars(select(Offer).where(Offer.waiting_id == entry.id, Offer.closed_at.is_(None))):
        if other.expires_at > now and (other.doctor_id, other.starts_at) == (doctor_id, starts_at):
            return other
        if other.expires_at > now:
            raise Conflict(_("Another slot is held for this patient. Release it first."))
        other.closed_at = now
    minutes = entry.visit_type.minutes if entry.visit_type else None
    found = admission.admit(session, actor, Wish(entry.patient_id, starts_at, [doctor_id], minutes, zone))
    offer = Offer(
        waiting_id=entry.id,
        doctor_id=found.doctor_id,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        expires_at=now + HELD_FOR,
        created_by_id=actor.user_id,
        created_at=now,
    )
    session.add(offer)
    session.flush()
    announcements.offered(session, offer, entry)
    audit.record(session, actor, "offer.make", patient_id=entry.patient_id, subject=f"offer/{offer.id}")
    return offer


def accept(session: Session, actor: Actor, offer_id: int, *, rules: Booking, zone: ZoneInfo) -> Appointment:
    """Book the offered slot for its patient and close the entry; accepting again changes nothing.

    Also after the 20 minutes, when the time is still free. Raises NotFound, Forbidden, Invalid, Taken, and Conflict
    for an offer that was given back.
    """
    offer, entry = _to_settle(session, actor, offer_id)
    if offer.closed_at is not None:
        made = _visit_of(session, offer, entry)
        if made is None:
            raise Conflict(_("This slot was already released. Make a new offer."))
        return made
    if entry.closed_at is not None:
        raise Conflict(_("This patient is no longer on the waitlist."))
    # The desk has chosen the time, so no limit for patients who choose for themselves stands against it.
    booker = actor if actor.is_staff else Actor(Role.SYSTEM, address=actor.address)
    request = BookingRequest(entry.patient_id, offer.starts_at, offer.doctor_id, visit_type_id=entry.visit_type_id)
    visit = booking.book(session, booker, request, rules, zone)
    entry.closed_at = offer.closed_at = clock.now()
    entry.appointment_id = visit.id
    audit.record(session, actor, "offer.accept", patient_id=entry.patient_id, subject=f"offer/{offer.id}")
    return visit


def of_message(session: Session, message_id: int) -> int:
    """Return the id of the offer a message is about. Raises NotFound."""
    subject = subjects.of(session.get_one(Message, message_id))
    if subject is None or subject.kind != subjects.Kind.OFFER:
        raise NotFound
    return int(subject.key)


def told(session: Session, actor: Actor, offer_id: int) -> Told:
    """An offer as the patient it was made to sees it. Raises NotFound for anyone else's."""
    row = session.execute(
        select(Offer, WaitlistEntry, Doctor.name)
        .join(WaitlistEntry, WaitlistEntry.id == Offer.waiting_id)
        .join(Doctor, Doctor.id == Offer.doctor_id)
        .join(WaitlistEntry.patient)
        .where(Offer.id == offer_id, patients.visible(actor))
    ).one_or_none()
    if row is None:
        raise NotFound
    offer, entry, doctor_name = row
    visit = _visit_of(session, offer, entry)
    open_still = offer.closed_at is None and entry.closed_at is None and offer.starts_at > clock.now()
    state = State.BOOKED if visit else State.OPEN if open_still else State.OVER
    return Told(offer.starts_at, offer.expires_at, doctor_name, state, offer.expires_at > clock.now())


def decline(session: Session, actor: Actor, offer_id: int) -> None:
    """Release the slot; the patient stays on the waitlist. Raises NotFound, Forbidden, Conflict (already accepted)."""
    offer, entry = _to_settle(session, actor, offer_id)
    if offer.closed_at is not None:
        if _visit_of(session, offer, entry) is not None:
            raise Conflict(_("This offer was accepted, and the appointment is booked."))
        return
    offer.closed_at = clock.now()
    audit.record(session, actor, "offer.decline", patient_id=entry.patient_id, subject=f"offer/{offer.id}")


def fetch(session: Session, actor: Actor, offer_id: int) -> Offer:
    """An offer with its entry and patient. Raises NotFound, Forbidden."""
    _check_desk(actor)
    offer = session.scalar(
        select(Offer)
        .join(Offer.entry)
        .join(WaitlistEntry.patient)
        .options(
            contains_eager(Offer.entry).contains_eager(WaitlistEntry.patient),
            contains_eager(Offer.entry).joinedload(WaitlistEntry.visit_type),
        )
        .where(Offer.id == offer_id, patients.visible(actor))
    )
    if offer is None:
        raise NotFound
    return offer


def standing(session: Session, first: datetime | None = None, last: datetime | None = None) -> Sequence[Held]:
    """Return the offers that hold a slot now, all or those between two instants, by time."""
    query = (
        select(
            Offer.id,
            Offer.waiting_id,
            Offer.doctor_id,
            Doctor.name,
            Offer.starts_at,
            Offer.ends_at,
            Offer.expires_at,
            Patient.name,
        )
        .join(Doctor, Doctor.id == Offer.doctor_id)
        .join(Offer.entry)
        .join(WaitlistEntry.patient)
        .where(Offer.closed_at.is_(None), Offer.expires_at > clock.now())
        .order_by(Offer.starts_at, Offer.id)
        .limit(waitlist.LIMIT)
    )
    if first is not None and last is not None:
        query = query.where(Offer.starts_at >= first, Offer.starts_at < last)
    return [Held._make(row) for row in session.execute(query)]


def free_stretch(session: Session, zone: ZoneInfo, doctor_id: int, starts_at: datetime) -> FreeTime | None:
    """Return the free time of a doctor from an instant on; None if it is past, closed, taken, or held."""
    if starts_at <= clock.now():
        return None
    day = starts_at.astimezone(zone).date()
    blocks = open_hours.open_blocks(session, day, day, zone, [doctor_id]).get((doctor_id, day), [])
    for block in blocks:
        if block.starts_at <= starts_at < block.ends_at:
            taken = free_times.taken(session, starts_at, block.ends_at, [doctor_id], None)[doctor_id]
            for start, end in open_hours.without(starts_at, block.ends_at, taken):
                return FreeTime(start, end, doctor_id) if start == starts_at else None
    return None


def _to_settle(session: Session, actor: Actor, offer_id: int) -> tuple[Offer, WaitlistEntry]:
    """Return an offer and its entry, both locked, for the desk or its patient. Raises NotFound, Forbidden."""
    if actor.role != Role.PATIENT:
        _check_desk(actor)
    waiting_id = session.scalar(select(Offer.waiting_id).where(Offer.id == offer_id))
    if waiting_id is None:
        raise NotFound
    entry = waitlist.to_change(session, actor, waiting_id)
    return session.get_one(Offer, offer_id, with_for_update=True), entry


def _visit_of(session: Session, offer: Offer, entry: WaitlistEntry) -> Appointment | None:
    """Return the appointment that was booked from an offer."""
    if entry.appointment_id is None:
        return None
    visit = session.get_one(Appointment, entry.appointment_id)
    return visit if (visit.doctor_id, visit.starts_at) == (offer.doctor_id, offer.starts_at) else None


def _check_desk(actor: Actor) -> None:
    if actor.role not in (Role.ADMIN, Role.RECEPTIONIST):
        raise Forbidden(_("Only administrators and receptionists can offer slots."))
