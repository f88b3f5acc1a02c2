"""Patients: who can access which record."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.language.translation import gettext as _
from service.storage.models import Appointment, Cover, EmergencyAccess, Guardian, Patient

DESK = frozenset({Role.ADMIN, Role.RECEPTIONIST})
"""The roles that manage all patients, but can't read clinical texts."""

PRESENT = Patient.archived_at.is_(None)
"""The condition on current patients: the record isn't archived, merged, or erased."""


def visible(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on patients that an actor can see at all.

    A patient's user sees the patients they are a guardian of, and receptionists and administrators see everyone.
    Doctors see patients with an appointment with them or with a doctor they cover for today, and those they opened
    in an emergency.
    """
    match actor.role:
        case Role.ADMIN | Role.RECEPTIONIST | Role.SYSTEM:
            return true()
        case Role.DOCTOR:
            return or_(in_treatment(actor), Patient.id.in_(_emergency_access(actor)))
        case Role.PATIENT:
            return Patient.id.in_(actor.patient_ids) if actor.patient_ids else false()
        case never:
            assert_never(never)


def in_treatment(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on patients with an appointment with a doctor, or with one the doctor covers for now."""
    theirs, now = aliased(Appointment), clock.now()  # aliased, because the outer query may use appointments too
    covered = select(Cover.covered_id).where(
        Cover.doctor_id == actor.doctor_id, Cover.starts_at <= now, Cover.ends_at > now
    )
    with_them = or_(theirs.doctor_id == actor.doctor_id, theirs.doctor_id.in_(covered))
    return exists().where(theirs.patient_id == Patient.id, with_them)


def _emergency_access(actor: Actor) -> Select[int]:
    mine = EmergencyAccess.doctor_id == actor.doctor_id, EmergencyAccess.expires_at > clock.now()
    return select(EmergencyAccess.patient_id).where(*mine)


def emergency_until(session: Session, actor: Actor, patient_id: int) -> datetime | None:
    """Return until when a doctor can see this record only through emergency access, otherwise None."""
    if actor.role != Role.DOCTOR:
        return None
    if session.scalar(select(Patient.id).where(Patient.id == patient_id, in_treatment(actor))) is not None:
        return None
    until = select(func.max(EmergencyAccess.expires_at)).where(
        EmergencyAccess.doctor_id == actor.doctor_id, EmergencyAccess.patient_id == patient_id
    )
    return session.scalar(until)


def fetch(session: Session, actor: Actor, patient_id: int) -> Patient:
    """Return the patient's row. Raises NotFound if it is missing or the actor can't see it."""
    patient = session.scalar(select(Patient).where(Patient.id == patient_id, visible(actor)))
    if patient is None:
        raise NotFound
    return patient


def to_book(session: Session, actor: Actor, patient_id: int) -> Patient:
    """Return a patient who can have new appointments. Raises NotFound, Conflict (merged), and Invalid (archived)."""
    patient = fetch(session, actor, patient_id)
    refuse_merged(patient)
    if patient.archived_at is not None:
        raise Invalid(_why_archived(actor, patient), "patient_id")
    return patient


def _why_archived(actor: Actor, patient: Patient) -> str:
    """Say why an archived record can't have new appointments, and what the actor can do about it."""
    if patient.erased_at is not None:
        return _("This record was erased, so it can't have new appointments.")
    match actor.role:
        case Role.PATIENT:
            return _("This record is archived. Please call the clinic.")
        case Role.DOCTOR:
            return _("This record is archived. Ask reception to restore it, then book the appointment.")
        case Role.ADMIN | Role.RECEPTIONIST | Role.SYSTEM:
            return _("This record is archived. Open it and choose Restore record, then book the appointment.")
        case _:
            assert_never(actor.role)


def records_of(patient_id: int) -> Select[int]:
    """Return the ids of a record and of those merged into it: all records of one person."""
    return select(Patient.id).where(or_(Patient.id == patient_id, Patient.merged_into_id == patient_id))


def pseudonym(patient_id: int) -> str:
    """Return what replaces the name of an erased patient."""
    return _("Erased patient %(id)s") % {"id": patient_id}


def erased_since(session: Session, at: datetime) -> bool:
    """Return whether any record was erased after an instant."""
    return session.scalar(select(exists().where(Patient.erased_at > at))) or False


def latest_erasure(session: Session) -> datetime | None:
    """Return when the last record was erased."""
    return session.scalar(select(func.max(Patient.erased_at)))


def refuse_merged(patient: Patient) -> None:
    """Raise Conflict for a record that was merged into another one."""
    if patient.merged_into_id is not None:
        raise Conflict(_("This record was merged into another one. Open that one."))


def refuse_erased(patient: Patient) -> None:
    """Raise Conflict for a record that was erased."""
    if patient.erased_at is not None:
        raise Conflict(_("This record was erased, so it can't be changed."))


def kept_instead(session: Session, actor: Actor, patient_id: int) -> int | None:
    """Return the id of the record that this one was merged into, if the actor can see it, otherwise None."""
    kept = select(Patient.merged_into_id).where(Patient.id == patient_id).scalar_subquery()
    return session.scalar(select(Patient.id).where(Patient.id == kept, visible(actor)))


def fetch_clinical(session: Session, actor: Actor, patient_id: int) -> Patient:
    """Return a patient whose clinical texts the actor can read: their doctors and guardians.

    Raises NotFound, and Forbidden during the waiting period of a guardian whom reception added.
    """
    if actor.role not in (Role.DOCTOR, Role.PATIENT, Role.SYSTEM):
        raise NotFound
    patient = fetch(session, actor, patient_id)
    if clinical_from(session, actor, patient_id) is not None:
        raise Forbidden(_("You were added to this record recently. The History page shows when you can read it."))
    return patient


def clinical_from(session: Session, actor: Actor, patient_id: int) -> datetime | None:
    """Return when a guardian's waiting period for the clinical texts of a patient ends; None if there is none."""
    if actor.role != Role.PATIENT:
        return None
    mine = (Guardian.user_id == actor.user_id, Guardian.patient_id == patient_id)
    opens = session.scalar(select(Guardian.clinical_from).where(*mine))
    return opens if opens is not None and opens > clock.now() else None


def in_care_of(session: Session, actor: Actor) -> Sequence[Patient]:
    """Return the patients that a patient's user is a guardian of, by name: at most 50."""
    return session.scalars(
        select(Patient).where(Patient.id.in_(actor.patient_ids)).order_by(Patient.name, Patient.id).limit(50)
    ).all()


def note_record_opened(session: Session, actor: Actor, patient_id: int) -> None:
    """Record that staff opened a patient's record, or that a patient read their own history."""
    act = "patient.view" if actor.is_staff else "patient.history"
    audit.record(session, actor, act, patient_id=patient_id)


def note_record_printed(session: Session, actor: Actor, patient_id: int) -> None:
    """Record that a doctor printed a patient's record. Raises NotFound."""
    fetch_clinical(session, actor, patient_id)
    audit.record(session, actor, "patient.print", patient_id=patient_id)
