"""Covers: doctors who stand in for others and can open their patients' records meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager

from service import clock
from service.domain.diary import doctors
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Cover, Doctor

LONGEST_DAYS = 366
MOST = 100


@dataclass(frozen=True)
class CoverRequest:
    """A cover: one doctor stands in for another, on whole days of the clinic."""

    doctor_id: int | None
    first_day: date
    last_day: date


def around(session: Session, doctor_id: int) -> Sequence[Cover]:
    """Return a doctor's covers in both directions, current and future, soonest first."""
    stands_in, covered = aliased(Doctor), aliased(Doctor)
    return session.scalars(
        select(Cover)
        .join(Cover.doctor.of_type(stands_in))
        .join(Cover.covered.of_type(covered))
        .options(contains_eager(Cover.doctor.of_type(stands_in)), contains_eager(Cover.covered.of_type(covered)))
        .where(or_(Cover.doctor_id == doctor_id, Cover.covered_id == doctor_id), Cover.ends_at > clock.now())
        .order_by(Cover.starts_at, Cover.id)
        .limit(MOST)
    ).all()


def add(session: Session, actor: Actor, covered_id: int, asked: CoverRequest, zone: ZoneInfo) -> Cover:
    """Let a doctor stand in for another. Raises NotFound, Forbidden, Invalid."""
    locks.doctors(session, or_(Doctor.id == covered_id, Doctor.id == asked.doctor_id))
    doctors.fetch(session, covered_id)
    _only_desk(actor)
    other = session.get(Doctor, asked.doctor_id) if asked.doctor_id is not None else None
    if other is None or other.id == covered_id or other.archived_at is not None:
        raise Invalid(_("Choose another doctor."), "cover_doctor_id")
    _check_days(asked, zone)
    row = Cover(
        doctor_id=other.id,
        covered_id=covered_id,
        starts_at=clock.day_bounds(asked.first_day, zone)[0],
        ends_at=clock.day_bounds(asked.last_day, zone)[1],
        created_by_id=actor.user_id,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    days = {"doctor": other.id, "first_day": asked.first_day, "last_day": asked.last_day}
    audit.record(session, actor, "cover.add", subject=f"doctor/{covered_id}", changes=audit.changed({}, days))
    return row


def remove(session: Session, actor: Actor, covered_id: int, cover_id: int) -> None:
    """End a cover now, or delete it if it has not begun. Raises NotFound, Forbidden."""
    _only_desk(actor)
    row = session.scalar(select(Cover).where(Cover.id == cover_id, Cover.covered_id == covered_id).with_for_update())
    if row is None:
        raise NotFound
    now = clock.now()
    if row.starts_at >= now:
        session.execute(delete(Cover).where(Cover.id == cover_id))
    elif row.ends_at > now:
        row.ends_at = now
    before = {"doctor": row.doctor_id}
    audit.record(
        session, actor, "cover.remove", subject=f"doctor/{covered_id}", changes=audit.changed(before, {"doctor": None})
    )


def _check_days(asked: CoverRequest, zone: ZoneInfo) -> None:
    if asked.last_day < asked.first_day:
        raise Invalid(_("The last day must not be before the first day."), "cover_last_day")
    if asked.last_day < clock.today(zone):
        raise Invalid(_("These days are in the past."), "cover_last_day")
    if (asked.last_day - asked.first_day).days > LONGEST_DAYS:
        raise Invalid(_("Choose at most one year."), "cover_last_day")


def _only_desk(actor: Actor) -> None:
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only administrators and receptionists can add or end a cover."))
