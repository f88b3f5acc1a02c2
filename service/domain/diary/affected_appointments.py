"""Appointments that time off affects: which are left to rebook, where they could go, and which await an answer."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.appointments import appointments, booking, free_times
from service.domain.appointments.free_times import FreeTime
from service.domain.appointments.open_hours import Span
from service.domain.diary import time_off
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, NotFound
from service.domain.outbox import announcements
from service.language.translation import gettext as _
from service.storage.models import (
    OPEN,
    TAKES_PLACE,
    Appointment,
    AppointmentStatus,
    Doctor,
    ExceptionKind,
    HoursException,
    MoveProposal,
)

SHOWN = 25
"""So many of each kind a page shows at once; the next ones follow as these are dealt with."""
TIMES = 3
WIDENING = (1, 7, 28)
"""The days around the affected appointments in which free times are looked for, until each appointment has three."""
NEIGHBOURS = 60


@dataclass(frozen=True)
class Counts:
    """How many appointments time off affects, how many are left to rebook, and how many await the patient's answer."""

    total: int
    still_open: int
    marked: int


@dataclass(frozen=True)
class Marked:
    """An appointment whose patient was sent new times to choose from."""

    visit: Appointment
    times: Sequence[FreeTime]


@dataclass(frozen=True)
class Moved:
    """An appointment that was rescheduled (to `successor`) or canceled since the time off was added."""

    visit: Appointment
    successor: Appointment | None


@dataclass(frozen=True)
class Affected:
    """The affected appointments of some time off by progress, the first ones of each kind."""

    counts: Counts
    still_open: Sequence[Appointment]
    marked: Sequence[Marked]
    done: Sequence[Moved]


def count(session: Session, actor: Actor, row: HoursException, zone: ZoneInfo) -> Counts:
    """Count the affected appointments by progress; for a doctor only their own."""
    found = _found(session, actor, row, zone)
    return Counts(len(found), sum(_is_open(one) for one in found), sum(_is_marked(one) for one in found))


def of(session: Session, actor: Actor, row: HoursException, zone: ZoneInfo) -> Affected:
    """Return the affected appointments; for a doctor only their own."""
    found = _found(session, actor, row, zone)
    still_open = [one.id for one in found if _is_open(one)]
    marked = [one.id for one in found if _is_marked(one)]
    done = [one.id for one in found if one.status not in OPEN]
    visits = _by_id(session, [*still_open[:SHOWN], *marked[:SHOWN], *done[-SHOWN:]])
    proposals = {
        row.appointment_id: _read(row, visits[row.appointment_id])
        for row in session.scalars(select(MoveProposal).where(MoveProposal.appointment_id.in_(marked[:SHOWN])))
    }
    successors = session.scalars(
        appointments.with_people().where(Appointment.rescheduled_from_id.in_(done[-SHOWN:]))
    ).all()
    new = {one.rescheduled_from_id: one for one in successors}
    return Affected(
        Counts(len(found), len(still_open), len(marked)),
        [visits[row_id] for row_id in still_open[:SHOWN]],
        [Marked(visits[row_id], proposals[row_id]) for row_id in marked[:SHOWN]],
        [Moved(visits[row_id], new.get(row_id)) for row_id in done[-SHOWN:]],
    )


def other_times(
    session: Session, visits: Sequence[Appointment], zone: ZoneInfo, *, any_doctor: bool
) -> Mapping[int, Sequence[FreeTime]]:
    """Return the three nearest slots for each appointment, with its doctor or any doctor in the department."""
    groups: dict[tuple[tuple[int, ...], int], list[Appointment]] = defaultdict(list)
    colleagues = _colleagues(session) if any_doctor else {}
    for visit in visits:
        minutes = booking.minutes_of(visit)
        same = (visit.doctor_id,) if visit.doctor.archived_at is None else ()
        groups[tuple(colleagues.get(visit.doctor.department, same)), minutes].append(visit)
    found: dict[int, Sequence[FreeTime]] = {visit.id: [] for visit in visits}
    for (doctor_ids, minutes), group in groups.items():
        if doctor_ids:
            found |= _nearest(session, group, zone, doctor_ids, minutes)
    return found


def propose(
    session: Session, actor: Actor, appointment_id: int, *, any_doctor: bool, zone: ZoneInfo
) -> Sequence[FreeTime]:
    """Propose the three nearest free times to the patient of a booked appointment, in one message.

    Again, the link in that message leads to the times that are nearest now; another one is only sent once all the times
    in the last one are past. Raises NotFound, Forbidden, and Conflict when the appointment is not booked any more or
    there is no other time.
    """
    visit = appointments.to_change(session, actor, appointment_id)
    if visit.status != AppointmentStatus.BOOKED:
        raise Conflict(_("This appointment isn't booked anymore, so there's nothing to reschedule."))
    row = session.get(MoveProposal, visit.id)
    standing = row is not None and _read(row, visit) != []
    times = other_times(session, [visit], zone, any_doctor=any_doctor)[visit.id]
    if not times:
        raise Conflict(_("No slot is free in the next four weeks. Call the patient."))
    row = row or MoveProposal(appointment_id=visit.id)
    written = [{"doctor_id": one.doctor_id, "starts_at": f"{one.starts_at:%Y-%m-%dT%H:%M:%SZ}"} for one in times]
    row.times, row.created_by_id, row.created_at = {"times": written}, actor.user_id, clock.now()
    session.add(row)
    if not standing:
        announcements.proposed(session, visit)
    audit.record(session, actor, "appointment.propose", patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    return times


def withdraw(session: Session, actor: Actor, appointment_id: int) -> None:
    """Withdraw the suggested times of an appointment, if any. Raises NotFound, Forbidden."""
    visit = appointments.to_change(session, actor, appointment_id)
    row = session.get(MoveProposal, visit.id)
    if row is not None:
        session.delete(row)
        announcements.proposal_withdrawn(session, visit)
        audit.record(
            session, actor, "appointment.withdraw", patient_id=visit.patient_id, subject=f"appointment/{visit.id}"
        )


def proposed(session: Session, appointment_id: int) -> Sequence[FreeTime]:
    """The times that were proposed instead of an appointment's own and are still ahead; none where nothing was
    proposed.
    """
    row = session.get(MoveProposal, appointment_id)
    return [] if row is None else _read(row, session.get_one(Appointment, appointment_id))


Found = Row[int, datetime, datetime, AppointmentStatus, int | None]


def _found(session: Session, actor: Actor, row: HoursException, zone: ZoneInfo) -> Sequence[Found]:
    """Return the appointments in the blocked time in order: upcoming, checked in, or canceled since it was blocked."""
    if row.kind != ExceptionKind.OFF:
        raise NotFound
    spans = time_off.spans(row, zone)
    begin, end = spans[0][0], spans[-1][1]
    query = (
        select(
            Appointment.id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.status,
            MoveProposal.appointment_id.label("proposal"),
        )
        .outerjoin(MoveProposal, MoveProposal.appointment_id == Appointment.id)
        .where(Appointment.starts_at > begin - free_times.LONGEST)
        .where(Appointment.starts_at < end, Appointment.ends_at > begin)
        .where(
            or_(
                and_(Appointment.status.in_(OPEN), Appointment.ends_at > clock.now()),
                and_(Appointment.status == AppointmentStatus.CANCELLED, Appointment.cancelled_at >= row.created_at),
            )
        )
        .order_by(Appointment.starts_at, Appointment.id)
    )
    whose = row.doctor_id if actor.role != Role.DOCTOR else actor.doctor_id
    if whose is not None:
        query = query.where(Appointment.doctor_id == whose)
    return [one for one in session.execute(query) if _meets(one.starts_at, one.ends_at, spans)]


def _meets(starts_at: datetime, ends_at: datetime, spans: Collection[Span]) -> bool:
    return any(start < ends_at and end > starts_at for start, end in spans)


def _is_open(one: Found) -> bool:
    # A patient who came although other times were proposed is not waiting for an answer: they are here.
    return one.status in OPEN and not _is_marked(one)


def _is_marked(one: Found) -> bool:
    return one.status == AppointmentStatus.BOOKED and one.proposal is not None


def _by_id(session: Session, ids: Sequence[int]) -> Mapping[int, Appointment]:
    visits = session.scalars(appointments.with_people().where(Appointment.id.in_(ids)))
    return {visit.id: visit for visit in visits}


def _read(row: MoveProposal, visit: Appointment) -> list[FreeTime]:
    """Return the suggested times that are still ahead."""
    length, now = visit.ends_at - visit.starts_at, clock.now()
    times = []
    for one in row.times["times"]:
        starts_at = datetime.strptime(one["starts_at"], "%Y-%m-%dT%H:%M:%S%z")
        if starts_at > now:
            times.append(FreeTime(starts_at, starts_at + length, one["doctor_id"]))
    return times


def _colleagues(session: Session) -> Mapping[str, list[int]]:
    """Return the ids of each department's doctors."""
    found: dict[str, list[int]] = defaultdict(list)
    rows = session.execute(select(Doctor.id, Doctor.department).where(Doctor.archived_at.is_(None)).order_by(Doctor.id))
    for doctor_id, department in rows:
        found[department].append(doctor_id)
    return found


def _nearest(
    session: Session, visits: Sequence[Appointment], zone: ZoneInfo, doctor_ids: Sequence[int], minutes: int
) -> dict[int, Sequence[FreeTime]]:
    """Return the nearest slots of one length with each of the given doctors, reading the hours only once."""
    days = [visit.starts_at.astimezone(zone).date() for visit in visits]
    today = clock.today(zone)
    own = _own_visits(session, visits)
    found: dict[int, Sequence[FreeTime]] = {}
    for around in WIDENING:
        first = max(min(days) - timedelta(days=around), today)
        last = max(max(days), today) + timedelta(days=around)
        times = free_times.of_days(session, first, last, zone, doctor_ids=doctor_ids, minutes=minutes)
        found = {visit.id: _pick(times, visit, own[visit.patient_id]) for visit in visits}
        if all(len(picked) >= TIMES for picked in found.values()):
            break
    return found


def _pick(times: Sequence[FreeTime], visit: Appointment, own: Sequence[tuple[int, Span]]) -> Sequence[FreeTime]:
    """Pick the three slots nearest to an appointment, one per instant, preferring its own doctor."""
    place = bisect_left(times, visit.starts_at, key=lambda time: time.starts_at)
    # The appointment's own time is free once it is moved, at another doctor; the patient's other appointments are not.
    others = [span for visit_id, span in own if visit_id != visit.id]
    by_instant: dict[datetime, FreeTime] = {}
    for time in times[max(0, place - NEIGHBOURS) : place + NEIGHBOURS]:
        known = by_instant.get(time.starts_at)
        if (known is None or time.doctor_id == visit.doctor_id) and not _meets(time.starts_at, time.ends_at, others):
            by_instant[time.starts_at] = time
    return sorted(sorted(by_instant.values(), key=lambda time: abs(time.starts_at - visit.starts_at))[:TIMES])


def _own_visits(session: Session, visits: Sequence[Appointment]) -> Mapping[int, Sequence[tuple[int, Span]]]:
    """Return everything the patients of these appointments have booked from now on, by patient."""
    rows = session.execute(
        select(Appointment.patient_id, Appointment.id, Appointment.starts_at, Appointment.ends_at)
        .where(Appointment.patient_id.in_({visit.patient_id for visit in visits}))
        .where(Appointment.status.in_(TAKES_PLACE), Appointment.starts_at > clock.now() - free_times.LONGEST)
    )
    found: dict[int, list[tuple[int, Span]]] = defaultdict(list)
    for patient_id, visit_id, starts_at, ends_at in rows:
        found[patient_id].append((visit_id, (starts_at, ends_at)))
    return found
