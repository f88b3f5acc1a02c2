"""A patient's record: created and changed by receptionists, with alerts from doctors, archived instead of deleted."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit, locks, texts
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.patients import consent, patient_search, patients, shared_email
from service.domain.patients.details import PatientDetails
from service.language.translation import gettext as _
from service.storage.models import Appointment, Offer, Patient, WaitlistEntry

LONGEST_ALERT = 2000


class PossibleDuplicate(Conflict):
    """The patient may already have a record; patient_search.likely_duplicates() finds it."""


class Stale(Conflict):
    """The form was opened before someone else changed the record."""


def add(session: Session, actor: Actor, details: PatientDetails, *, sure: bool = False) -> Patient:
    """Create a record. Raises Forbidden, and PossibleDuplicate unless the user is `sure`."""
    _only_desk(actor)
    if not sure and patient_search.likely_duplicates(session, actor, details):
        raise PossibleDuplicate(_("This patient may already have a record."))
    patient = make(session, details)
    audit.record(session, actor, "patient.add", patient_id=patient.id)
    return patient


def make(session: Session, details: PatientDetails, *, registered_at: datetime | None = None) -> Patient:
    """Create the record without checking permission; pass `registered_at` if the patient registered online."""
    patient = Patient(**details.columns(), registered_at=registered_at, created_at=registered_at or clock.now())
    session.add(patient)
    session.flush()
    consent.keep_refusals(session, Patient.id == patient.id)
    return patient


def change(
    session: Session,
    actor: Actor,
    patient_id: int,
    details: PatientDetails,
    *,
    version: int,
    also: Collection[int] = (),
) -> list[int]:
    """Change a patient's name, birth date, or contact details. Raises NotFound, Conflict, and Stale for an old form.

    A new e-mail address is also set on the records in `also` that share the old one. Return the ids of those changed.
    """
    locks.patients(session, patient_id, *also)
    patient = to_change(session, actor, patient_id)
    _refuse_stale(patient, version)
    before, key = PatientDetails.of(patient), patient.email_key
    if before == details:
        return []
    for name, value in details.columns().items():
        setattr(patient, name, value)
    audit.record(session, actor, "patient.change", patient_id=patient.id, changes=audit.changes_of(patient))
    if (details.email, details.phone) != (before.email, before.phone):
        consent.keep_refusals(session, Patient.id == patient.id)
    if key is None or before.email == details.email or not also:
        return []
    return shared_email.change(session, actor, key, details.email, set(also) - {patient_id})


def set_alerts(session: Session, actor: Actor, patient_id: int, *, allergies: str, alerts: str, version: int) -> None:
    """Set what everyone who treats this patient needs to know.

    Raises NotFound, Forbidden, Invalid, and Stale for an old form.
    """
    patient = to_change(session, actor, patient_id)
    if actor.role != Role.DOCTOR:
        raise Forbidden(_("Only doctors can change allergies and alerts."))
    values = {
        "allergies": texts.checked(allergies, "allergies", LONGEST_ALERT),
        "alerts": texts.checked(alerts, "alerts", LONGEST_ALERT),
    }
    _refuse_stale(patient, version)
    if (patient.allergies, patient.alerts) != (values["allergies"], values["alerts"]):
        patient.allergies, patient.alerts = values["allergies"], values["alerts"]
        audit.record(session, actor, "patient.alerts", patient_id=patient.id, changes=audit.changes_of(patient))


def confirm(session: Session, actor: Actor, patient_id: int) -> None:
    """Confirm that reception has checked the identity of a patient who registered online.

    Raises NotFound, Forbidden, Conflict.
    """
    _only_desk(actor)
    patient = to_change(session, actor, patient_id)
    if patient.registered_at is not None:
        patient.registered_at = None
        audit.record(session, actor, "patient.confirm", patient_id=patient.id)


def archive(session: Session, actor: Actor, patient_id: int) -> None:
    """Archive a record. Raises NotFound, Forbidden, and Conflict if there are upcoming appointments."""
    _only_desk(actor)
    patient = to_change(session, actor, patient_id)
    if patient.archived_at is not None:
        return
    ahead = session.scalar(
        select(func.count())
        .select_from(Appointment)
        .where(Appointment.patient_id == patient_id, Appointment.is_expected())
    )
    if ahead:
        raise Conflict(_("This patient has upcoming appointments. Cancel them before you archive the record."))
    patient.archived_at = clock.now()
    close_waiting(session, patient_id)
    audit.record(session, actor, "patient.archive", patient_id=patient.id)


def restore(session: Session, actor: Actor, patient_id: int) -> None:
    """Restore an archived record. Raises NotFound, Forbidden, and Conflict for a merged one."""
    _only_desk(actor)
    patient = to_change(session, actor, patient_id)
    if patient.archived_at is not None:
        patient.archived_at = None
        audit.record(session, actor, "patient.restore", patient_id=patient.id)


def to_change(session: Session, actor: Actor, patient_id: int, *, erased: bool = False) -> Patient:
    """Lock and return the patient's row. Raises NotFound, Forbidden for patients, and Conflict for a merged record.

    An erased record raises Conflict too, unless the caller accepts `erased` ones.
    """
    locks.patients(session, patient_id)
    patient = patients.fetch(session, actor, patient_id)
    if not actor.is_staff:
        raise Forbidden(_("Only the clinic can change this record. Please call us."))
    patients.refuse_merged(patient)
    if not erased:
        patients.refuse_erased(patient)
    return patient


def close_waiting(session: Session, patient_id: int) -> None:
    """Remove a patient from the waitlist and release the slots on hold for them."""
    now, theirs = clock.now(), WaitlistEntry.patient_id == patient_id
    entries = select(WaitlistEntry.id).where(theirs)
    session.execute(update(Offer).where(Offer.waiting_id.in_(entries), Offer.closed_at.is_(None)).values(closed_at=now))
    session.execute(update(WaitlistEntry).where(theirs, WaitlistEntry.closed_at.is_(None)).values(closed_at=now))


def _refuse_stale(patient: Patient, version: int) -> None:
    if patient.version != version:
        raise Stale(_("Someone else changed this record while you were editing it."))


def _only_desk(actor: Actor) -> None:
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can do this."))
