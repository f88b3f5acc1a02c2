"""Patients: who may open which record."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, false, select, true
from sqlalchemy.orm import Session, aliased

from service.domain import audit
from service.domain.actor import Actor, Role
from service.domain.errors import Invalid, NotFound
from service.models import Appointment, Patient
from service.translation import gettext as _

DESK = frozenset({Role.ADMIN, Role.RECEPTIONIST})
"""Who looks after the people of the clinic, and reads no clinical text."""


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on patients that an actor may see at all.

    A patient's user sees the people they look after, a doctor everyone with a visit at theirs, the desk everyone.
    """
    if actor.role in (Role.ADMIN, Role.RECEPTIONIST, Role.SYSTEM):
        return true()
    if actor.role == Role.DOCTOR:
        theirs = aliased(Appointment)  # its own name: the query around may be about appointments too
        return exists().where(theirs.patient_id == Patient.id, theirs.doctor_id == actor.doctor_id)
    return Patient.id.in_(actor.patient_ids) if actor.patient_ids else false()


def fetch(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient's row. Raises NotFound when it is missing or none of the actor's business."""
    patient = session.scalar(select(Patient).where(Patient.id == patient_id, visible(actor)))
    if patient is None:
        raise NotFound
    return patient


def to_book(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient a visit may be booked for. Raises NotFound, and Invalid for an archived record."""
    patient = fetch(session, actor, patient_id)
    if patient.archived_at is not None:
        raise Invalid(_("This record is archived: take it back before you book a visit."), "patient_id")
    return patient


def kept_instead(session: Session, actor: Actor, patient_id: int) -> int | None:
    """The id of the record that a merged one went into, for those who may see that; None for any other."""
    kept = select(Patient.merged_into_id).where(Patient.id == patient_id).scalar_subquery()
    return session.scalar(select(Patient.id).where(Patient.id == kept, visible(actor)))


def fetch_clinical(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient whose clinical texts the actor may read: a doctor's own patients, and one's own record."""
    if actor.role not in (Role.DOCTOR, Role.PATIENT, Role.SYSTEM):
        raise NotFound
    return fetch(session, actor, patient_id)


def in_care_of(session: Session, actor: Actor) -> Sequence[Patient]:
    """The patients a signed-in patient's user looks after, by name; at most a family's worth."""
    return session.scalars(
        select(Patient).where(Patient.id.in_(actor.patient_ids)).order_by(Patient.name, Patient.id).limit(50)
    ).all()


def note_record_opened(session: Session, actor: Actor, patient_id: int) -> None:
    """Put on record that somebody read a patient's record."""
    audit.record(session, actor, "patient.view", patient_id=patient_id)
