"""Appointments: fetching and locking one, the lists of upcoming and past ones, and a clinic day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.domain.appointments import candidates
from service.domain.foundation import locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.domain.foundation.paging import cut, page_key, read_key
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor, Patient

PAGE = 25
DAY_LIMIT = 2000


@dataclass(frozen=True)
class Page:
    """One page of appointments, and the key of the next page (None: there is none)."""

    visits: Sequence[Appointment]
    older: str | None


def with_people() -> Select[Appointment]:
    """Select appointments with their doctor, patient, and appointment type in one query."""
    return (
        select(Appointment)
        .join(Appointment.doctor)
        .join(Appointment.patient)
        .outerjoin(Appointment.visit_type)
        .options(
            contains_eager(Appointment.doctor),
            contains_eager(Appointment.patient),
            contains_eager(Appointment.visit_type),
        )
    )


def fetch(session: Session, actor: Actor, appointment_id: int) -> Appointment:
    """Return an appointment with its doctor and patient. Raises NotFound if missing or not visible to the actor."""
    return _found(session, actor, appointment_id)


def _found(session: Session, actor: Actor, appointment_id: int, *, read_again: bool = False) -> Appointment:
    query = with_people().where(Appointment.id == appointment_id, patients.visible(actor))
    visit = session.scalar(query.execution_options(populate_existing=read_again))
    if visit is None:
        raise NotFound
    return visit


def lock(session: Session, appointment_id: int) -> None:
    """Lock the patient of an appointment; concurrent changes to either wait for this transaction."""
    locks.with_patient(session, select(Appointment.patient_id).where(Appointment.id == appointment_id))


def to_change(session: Session, actor: Actor, appointment_id: int, version: int | None = None) -> Appointment:
    """Lock and return an appointment for its patient, its doctor, a receptionist, or an administrator to change.

    Raises NotFound, Forbidden for another doctor's appointment, and Conflict if its version is not `version`.
    """
    lock(session, appointment_id)
    visit = _found(session, actor, appointment_id, read_again=True)
    if actor.role == Role.DOCTOR and visit.doctor_id != actor.doctor_id:
        raise Forbidden(_("Only this appointment's doctor, receptionists, and administrators can change it."))
    if version is not None and visit.version != version:
        raise Conflict(_("Someone else just changed this appointment. Check it and try again."))
    return visit


def upcoming(session: Session, actor: Actor, patient_id: int | None = None) -> Sequence[Appointment]:
    """Return the first page of upcoming appointments, earliest first, of one patient or all the actor may see."""
    return session.scalars(
        with_people()
        .where(_of(actor, patient_id), Appointment.is_expected())
        .order_by(Appointment.starts_at, Appointment.id)
        .limit(PAGE)
    ).all()


def past(session: Session, actor: Actor, *, patient_id: int | None = None, before: str | None = None) -> Page:
    """Return past and canceled appointments, newest first, paged by key (`before` comes from Page.older).

    They are those of one patient or of all patients the actor may see.
    """
    query = with_people().where(_of(actor, patient_id), ~Appointment.is_expected())
    query = query.order_by(Appointment.starts_at.desc(), Appointment.id.desc())
    if before:
        query = query.where(tuple_(Appointment.starts_at, Appointment.id) < read_key(before))
    visits = session.scalars(query.limit(PAGE + 1)).all()
    return Page(*cut(visits, PAGE, lambda last: page_key(last.starts_at, last.id)))


def day(
    session: Session, actor: Actor, on: date, zone: ZoneInfo, doctor_id: int | None = None
) -> Sequence[Appointment]:
    """Return all appointments of a clinic day in order of time; doctors get only their own."""
    start, end = clock.day_bounds(on, zone)
    conditions = [Appointment.starts_at >= start, Appointment.starts_at < end]
    chosen = actor.doctor_id if actor.role == Role.DOCTOR else doctor_id
    if actor.role == Role.DOCTOR or chosen is not None:
        conditions.append(Appointment.doctor_id == chosen)
    query = with_people().where(and_(*conditions)).order_by(Appointment.starts_at, Appointment.id)
    return session.scalars(query.limit(DAY_LIMIT)).all()


def doctors(session: Session) -> Sequence[Doctor]:
    """Return the clinic's active doctors, in the order they were added."""
    return session.scalars(select(Doctor).where(candidates.any_of()).order_by(Doctor.id).limit(500)).all()


def _of(actor: Actor, patient_id: int | None) -> ColumnElement[bool]:
    """Return the condition for the appointments in the actor's own list."""
    if patient_id is not None:
        return Patient.id == patient_id
    if actor.role == Role.DOCTOR:
        return Appointment.doctor_id == actor.doctor_id
    return patients.visible(actor)
