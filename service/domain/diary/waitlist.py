"""The waitlist: patients who want an earlier slot, and whom a slot suits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.domain.appointments import candidates, free_times, open_hours, visit_types
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.open_hours import Block
from service.domain.foundation import audit, locks, texts
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import TAKES_PLACE, Appointment, Offer, PartOfDay, Patient, VisitType, WaitlistEntry

NOON, EVENING = 12, 17
"""The hours of the wall clock at which the afternoon and the evening begin."""
EVERY_DAY = "0123456"
LONGEST_NOTE = 200
LIMIT = 200
FITS_LIMIT = 50
SLOTS_AT_ONCE = 100


@dataclass(frozen=True)
class WaitlistRequest:
    """A waitlist entry, for one doctor or any (None). `weekdays` are digits, 0 is Monday."""

    patient_id: int
    doctor_id: int | None = None
    visit_type_id: int | None = None
    weekdays: str = EVERY_DAY
    part: str = PartOfDay.ANY
    urgent: bool = False
    note: str = ""


def add(session: Session, actor: Actor, wanted: WaitlistRequest) -> WaitlistEntry:
    """Put a patient on the list.

    The same wish again while it waits is the same entry. Raises NotFound, Invalid, Forbidden.
    """
    _check_desk(actor)
    locks.patients(session, wanted.patient_id)
    patients.to_book(session, actor, wanted.patient_id)
    wanted = _checked(session, actor, wanted)
    again = select(WaitlistEntry).filter_by(**vars(wanted)).where(WaitlistEntry.closed_at.is_(None))
    entry = session.scalars(again.limit(1)).first()
    if entry is None:
        entry = WaitlistEntry(**vars(wanted), created_by_id=actor.user_id, created_at=clock.now())
        session.add(entry)
        session.flush()
        audit.record(session, actor, "waiting.add", patient_id=entry.patient_id, subject=f"waiting/{entry.id}")
    return entry


def remove(session: Session, actor: Actor, entry_id: int) -> None:
    """Remove an entry and release what is held for it; idempotent. Raises NotFound, Forbidden."""
    _check_desk(actor)
    entry = to_change(session, actor, entry_id)
    if entry.closed_at is not None:
        return
    entry.closed_at = clock.now()
    for offer in session.scalars(select(Offer).where(Offer.waiting_id == entry.id, Offer.closed_at.is_(None))):
        offer.closed_at = entry.closed_at
    audit.record(session, actor, "waiting.remove", patient_id=entry.patient_id, subject=f"waiting/{entry.id}")


def waiting(session: Session, actor: Actor) -> Sequence[WaitlistEntry]:
    """Return the open entries: urgent ones first, then those waiting longest; at most 200.

    A doctor sees those who wait for them, and their own patients who wait for anyone.
    """
    return session.scalars(_in_order(_with_people().where(_visible(actor))).limit(LIMIT)).all()


def count(session: Session, actor: Actor) -> int:
    """Return the number of open entries, without the limit of waiting()."""
    query = select(func.count()).select_from(WaitlistEntry).join(WaitlistEntry.patient)
    return session.scalar(query.where(WaitlistEntry.closed_at.is_(None), _visible(actor))) or 0


def to_change(session: Session, actor: Actor, entry_id: int) -> WaitlistEntry:
    """Return an entry with its patient and doctor, locked, even if it is closed. Raises NotFound."""
    locks.with_patient(session, select(WaitlistEntry.patient_id).where(WaitlistEntry.id == entry_id))
    query = _people(select(WaitlistEntry)).where(WaitlistEntry.id == entry_id, _visible(actor))
    entry = session.scalar(query.execution_options(populate_existing=True))
    if entry is None:
        raise NotFound
    return entry


def who_fits(session: Session, actor: Actor, zone: ZoneInfo, time: FreeTime) -> Sequence[WaitlistEntry]:
    """Return the entries a slot suits: urgent ones first, then those waiting longest; at most 50.

    Its doctor or any, its day, its part of the day, long enough for their kind of appointment, no appointment of their
    own then, and nothing else offered to them at the moment.
    """
    return session.scalars(_in_order(_with_people().where(_suits(time, zone), _visible(actor))).limit(FITS_LIMIT)).all()


def count_fits(session: Session, zone: ZoneInfo, times: Sequence[FreeTime]) -> dict[FreeTime, int]:
    """For each slot that is upcoming, free, and in its doctor's hours, count the entries it suits.

    A fixed number of queries, however many times are asked about.
    """
    free = _still_free(session, times, zone)
    found: dict[FreeTime, int] = {}
    for first in range(0, len(free), SLOTS_AT_ONCE):
        some = free[first : first + SLOTS_AT_ONCE]
        counts = (func.count().filter(_suits(time, zone)) for time in some)
        query = select(*counts).select_from(WaitlistEntry).join(WaitlistEntry.patient)
        query = query.outerjoin(WaitlistEntry.visit_type).where(WaitlistEntry.closed_at.is_(None))
        found.update(zip(some, session.execute(query).one(), strict=True))
    return found


def part_of(at: datetime, zone: ZoneInfo) -> PartOfDay:
    """Return the part of the day of an instant, in the clinic's time zone."""
    hour = at.astimezone(zone).hour
    return PartOfDay.MORNING if hour < NOON else PartOfDay.AFTERNOON if hour < EVENING else PartOfDay.EVENING


def _suits(time: FreeTime, zone: ZoneInfo) -> ColumnElement[bool]:
    """The condition on entries (joined with their patient and appointment type) that a slot suits."""
    minutes = int((time.ends_at - time.starts_at).total_seconds() // 60)
    elsewhere = exists().where(
        Appointment.patient_id == WaitlistEntry.patient_id,
        Appointment.status.in_(TAKES_PLACE),
        Appointment.starts_at > time.starts_at - free_times.LONGEST,
        Appointment.starts_at < time.ends_at,
        Appointment.ends_at > time.starts_at,
    )
    offered = exists().where(
        Offer.waiting_id == WaitlistEntry.id, Offer.closed_at.is_(None), Offer.expires_at > clock.now()
    )
    return and_(
        or_(WaitlistEntry.doctor_id.is_(None), WaitlistEntry.doctor_id == time.doctor_id),
        WaitlistEntry.weekdays.contains(str(time.starts_at.astimezone(zone).weekday())),
        WaitlistEntry.part.in_((PartOfDay.ANY, part_of(time.starts_at, zone))),
        or_(VisitType.minutes.is_(None), VisitType.minutes <= minutes),
        Patient.archived_at.is_(None),
        ~elsewhere,
        ~offered,
    )


def _still_free(session: Session, times: Sequence[FreeTime], zone: ZoneInfo) -> list[FreeTime]:
    ahead = [time for time in times if time.starts_at > clock.now()]
    if not ahead:
        return []
    first, last = min(time.starts_at for time in ahead), max(time.ends_at for time in ahead)
    doctor_ids = sorted({time.doctor_id for time in ahead})
    taken = free_times.taken(session, first, last, doctor_ids, None)
    begin, end = first.astimezone(zone).date(), last.astimezone(zone).date()
    hours = open_hours.open_blocks(session, begin, end, zone, doctor_ids)
    return [
        time
        for time in dict.fromkeys(ahead)
        if _is_within(time, hours.get((time.doctor_id, time.starts_at.astimezone(zone).date()), ()))
        and not any(start < time.ends_at and end > time.starts_at for start, end in taken[time.doctor_id])
    ]


def _is_within(time: FreeTime, blocks: Iterable[Block]) -> bool:
    """Whether a slot is within the doctor's hours: time off may have cut them since it was booked."""
    return any(block.starts_at <= time.starts_at and time.ends_at <= block.ends_at for block in blocks)


def _people(query: Select[WaitlistEntry]) -> Select[WaitlistEntry]:
    """Entries with their patient, doctor and appointment type, in one query."""
    return (
        query.join(WaitlistEntry.patient)
        .outerjoin(WaitlistEntry.doctor)
        .outerjoin(WaitlistEntry.visit_type)
        .options(
            contains_eager(WaitlistEntry.patient),
            contains_eager(WaitlistEntry.doctor),
            contains_eager(WaitlistEntry.visit_type),
        )
    )


def _with_people() -> Select[WaitlistEntry]:
    return _people(select(WaitlistEntry)).where(WaitlistEntry.closed_at.is_(None))


def _in_order(query: Select[WaitlistEntry]) -> Select[WaitlistEntry]:
    return query.order_by(WaitlistEntry.urgent.desc(), WaitlistEntry.created_at, WaitlistEntry.id)


def _visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on entries (joined with their patient) that an actor may see."""
    if actor.role == Role.DOCTOR:
        mine = and_(WaitlistEntry.doctor_id.is_(None), patients.visible(actor))
        return or_(WaitlistEntry.doctor_id == actor.doctor_id, mine)
    return patients.visible(actor)


def _check_desk(actor: Actor) -> None:
    if actor.role not in (Role.ADMIN, Role.RECEPTIONIST, Role.SYSTEM):
        raise Forbidden(_("Only administrators and receptionists can change the waitlist."))


def _checked(session: Session, actor: Actor, wanted: WaitlistRequest) -> WaitlistRequest:
    """Return the request as it is stored. Raises NotFound for an unknown doctor or type, Invalid."""
    if wanted.doctor_id is not None and not candidates.ids(session, wanted.doctor_id):
        raise NotFound
    if wanted.visit_type_id is not None:
        visit_types.fetch(session, actor, wanted.visit_type_id)
    note = texts.checked(" ".join(wanted.note.split()), "note", LONGEST_NOTE)
    return replace(wanted, weekdays=_checked_weekdays(wanted.weekdays), part=_checked_part(wanted.part), note=note)


def _checked_weekdays(weekdays: str) -> str:
    """Return the days in order, each once. Raises Invalid for none and for an unknown day."""
    days = "".join(sorted(set(weekdays)))
    if not days or not set(days) <= set(EVERY_DAY):
        raise Invalid(_("Choose at least one day of the week."), "weekdays")
    return days


def _checked_part(part: str) -> PartOfDay:
    try:
        return PartOfDay(part)
    except ValueError:
        raise Invalid(_("Choose a time of day."), "part") from None
