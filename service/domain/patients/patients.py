"""Patients: who may open which record."""

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
"""Who looks after the people of the clinic, and reads no clinical text."""

PRESENT = Patient.archived_at.is_(None)
"""The condition on patients who come here: the record was neither put away, nor merged into another one, nor erased."""


def visible(actor: Actor) -> ColumnElement[bool]:
    """The condition on patients that an actor may see at all.

    A patient's user sees the people they look after, the desk everyone; a doctor everyone with a visit at theirs or
    at a doctor they stand in for today, and whom they opened in an emergency.
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
    """The condition on patients who have or had a visit with a doctor, or with one the doctor stands in for today."""
    theirs, now = aliased(Appointment), clock.now()  # its own name: the query around may be about appointments too
    covered = select(Cover.covered_id).where(
        Cover.doctor_id == actor.doctor_id, Cover.starts_at <= now, Cover.ends_at > now
    )
    with_them = or_(theirs.doctor_id == actor.doctor_id, theirs.doctor_id.in_(covered))
    return exists().where(theirs.patient_id == Patient.id, with_them)


def _emergency_access(actor: Actor) -> Select[int]:
    mine = EmergencyAccess.doctor_id == actor.doctor_id, EmergencyAccess.expires_at > clock.now()
    return select(EmergencyAccess.patient_id).where(*mine)


def emergency_until(session: Session, actor: Actor, patient_id: int) -> datetime | None:
    """Until when a doctor sees this record because of an emergency alone; None for any other reason."""
    if actor.role != Role.DOCTOR:
        return None
    if session.scalar(select(Patient.id).where(Patient.id == patient_id, in_treatment(actor))) is not None:
        return None
    until = select(func.max(EmergencyAccess.expires_at)).where(
        EmergencyAccess.doctor_id == actor.doctor_id, EmergencyAccess.patient_id == patient_id
    )
    return session.scalar(until)


def fetch(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient's row. Raises NotFound when it is missing or none of the actor's business."""
    patient = session.scalar(select(Patient).where(Patient.id == patient_id, visible(actor)))
    if patient is None:
        raise NotFound
    return patient


def to_book(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient a visit may be booked for. Raises NotFound, Conflict (merged), and Invalid for an archived record."""
    patient = fetch(session, actor, patient_id)
    refuse_merged(patient)
    if patient.archived_at is not None:
        raise Invalid(_why_archived(actor, patient), "patient_id")
    return patient


def _why_archived(actor: Actor, patient: Patient) -> str:
    """Why nothing is booked for an archived record, and what whoever reads this can do about it."""
    if patient.erased_at is not None:
        return _("This record was erased, so no visit can be booked for it.")
    match actor.role:
        case Role.PATIENT:
            return _("This record is archived: please call the clinic.")
        case Role.DOCTOR:
            return _("This record is archived: ask the desk to take it back before you book a visit.")
        case Role.ADMIN | Role.RECEPTIONIST | Role.SYSTEM:
            return _("This record is archived: press Take it back on the patient's page before you book a visit.")
        case _:
            assert_never(actor.role)


def records_of(patient_id: int) -> Select[int]:
    """The ids of a record and of those that were merged into it: one person's."""
    return select(Patient.id).where(or_(Patient.id == patient_id, Patient.merged_into_id == patient_id))


def pseudonym(patient_id: int) -> str:
    """What stands in the place of an erased patient's name."""
    return _("Erased patient %(id)s") % {"id": patient_id}


def erased_since(session: Session, at: datetime) -> bool:
    """Whether any record was erased after an instant."""
    return session.scalar(select(exists().where(Patient.erased_at > at))) or False


def latest_erasure(session: Session) -> datetime | None:
    """When the last record was erased."""
    return session.scalar(select(func.max(Patient.erased_at)))


def refuse_merged(patient: Patient) -> None:
    """Raise Conflict for a record that was merged into another one."""
    if patient.merged_into_id is not None:
        raise Conflict(_("This record was merged into another one: open that."))


def refuse_erased(patient: Patient) -> None:
    """Raise Conflict for a record that was erased."""
    if patient.erased_at is not None:
        raise Conflict(_("This record was erased: nothing of it can be changed any more."))


def kept_instead(session: Session, actor: Actor, patient_id: int) -> int | None:
    """The id of the record that a merged one went into, for those who may see that; None for any other."""
    kept = select(Patient.merged_into_id).where(Patient.id == patient_id).scalar_subquery()
    return session.scalar(select(Patient.id).where(Patient.id == kept, visible(actor)))


def fetch_clinical(session: Session, actor: Actor, patient_id: int) -> Patient:
    """The patient whose clinical texts the actor may read: a doctor's own patients, and the record one looks after.

    Raises NotFound, and Forbidden while a guardian whom the desk linked has to wait.
    """
    if actor.role not in (Role.DOCTOR, Role.PATIENT, Role.SYSTEM):
        raise NotFound
    patient = fetch(session, actor, patient_id)
    if clinical_from(session, actor, patient_id) is not None:
        raise Forbidden(
            _("You were added to this record a short while ago. The page History says when it opens to you.")
        )
    return patient


def clinical_from(session: Session, actor: Actor, patient_id: int) -> datetime | None:
    """From when a guardian whom the desk linked reads the clinical texts of a patient; None: from now on, or never."""
    if actor.role != Role.PATIENT:
        return None
    mine = (Guardian.user_id == actor.user_id, Guardian.patient_id == patient_id)
    opens = session.scalar(select(Guardian.clinical_from).where(*mine))
    return opens if opens is not None and opens > clock.now() else None


def in_care_of(session: Session, actor: Actor) -> Sequence[Patient]:
    """The patients a signed-in patient's user looks after, by name; at most a family's worth."""
    return session.scalars(
        select(Patient).where(Patient.id.in_(actor.patient_ids)).order_by(Patient.name, Patient.id).limit(50)
    ).all()


def note_record_opened(session: Session, actor: Actor, patient_id: int) -> None:
    """Put on record that somebody at the clinic opened a patient's record, or somebody read their own history."""
    act = "patient.view" if actor.is_staff else "patient.history"
    audit.record(session, actor, act, patient_id=patient_id)


def note_record_printed(session: Session, actor: Actor, patient_id: int) -> None:
    """Put on record that a doctor printed a record. Raises NotFound."""
    fetch_clinical(session, actor, patient_id)
    audit.record(session, actor, "patient.print", patient_id=patient_id)
