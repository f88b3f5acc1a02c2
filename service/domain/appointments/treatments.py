"""Treatments: the doctor's record of an appointment, and a patient's history of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.domain.appointments import appointments, possible
from service.domain.foundation import audit, paging
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.foundation.texts import checked
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, AppointmentStatus, Treatment, TreatmentVersion

PAGE = 20
LONGEST_TYPE = 60
LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class Findings:
    """What a doctor records about an appointment."""

    visit_type: str = ""
    symptoms: str = ""
    diagnosis: str = ""
    treatment: str = ""
    prescription: str = ""
    notes: str = ""
    next_visit: date | None = None


TEXTS = tuple(field.name for field in fields(Findings) if field.name != "next_visit")


@dataclass(frozen=True)
class Page:
    """One page of treatments, newest first, and the key of the next page (None: there is none)."""

    treatments: Sequence[Treatment]
    older: str | None


def of_visit(session: Session, actor: Actor, visit: Appointment) -> Treatment | None:
    """Return the treatment of an appointment, or None if there is none or the actor may not read it (yet)."""
    if actor.role not in (Role.DOCTOR, Role.PATIENT) or patients.clinical_from(session, actor, visit.patient_id):
        return None
    return session.scalar(select(Treatment).where(Treatment.appointment_id == visit.id))


def to_record(session: Session, actor: Actor, appointment_id: int) -> Appointment:
    """Return the appointment if its treatment can be recorded now. Raises NotFound, Forbidden, Conflict."""
    visit = appointments.fetch(session, actor, appointment_id)
    if actor.role != Role.DOCTOR:
        raise NotFound
    if visit.doctor_id != actor.doctor_id:
        raise Forbidden(_("Only this appointment's doctor can record the treatment."))
    refusal = possible.why_not_recorded(visit)
    if refusal is not None:
        raise Conflict(refusal)
    return visit


def note_opened(session: Session, actor: Actor, visit: Appointment, *, with_treatment: bool = True) -> None:
    """Add to the audit log that the actor opened an appointment or read its treatment."""
    act = "treatment.view" if with_treatment else "appointment.view"
    audit.record(session, actor, act, patient_id=visit.patient_id, subject=f"appointment/{visit.id}")


def record(
    session: Session,
    actor: Actor,
    appointment_id: int,
    findings: Findings,
    zone: ZoneInfo,
    *,
    version: int | None = None,
) -> Treatment:
    """Record or correct the treatment of an appointment, and mark the appointment completed.

    `version` is the one the form was opened with, if known. Raises NotFound, Forbidden, Invalid, and Conflict if the
    appointment has not started, was canceled, or someone else changed the treatment meanwhile.
    """
    appointments.lock(session, appointment_id)
    visit = to_record(session, actor, appointment_id)
    written = _checked(findings, visit.starts_at.astimezone(zone).date())
    now = clock.now()
    treatment = session.scalar(select(Treatment).where(Treatment.appointment_id == visit.id))
    if version is not None and version != (treatment.version if treatment else 0):
        raise Conflict(_("Someone else changed this treatment while you were editing it."))
    if treatment is None:
        treatment = Treatment(
            appointment_id=visit.id, recorded_by_id=actor.user_id, created_at=now, updated_at=now, **vars(written)
        )
        session.add(treatment)
        audit.record(session, actor, "treatment.record", patient_id=visit.patient_id, subject=f"appointment/{visit.id}")
    elif _of(treatment) != written:
        _replace(session, actor, treatment, written)
        audit.record(
            session,
            actor,
            "treatment.correct",
            patient_id=visit.patient_id,
            subject=f"appointment/{visit.id}",
            changes=audit.changes_of(treatment),
        )
    visit.status = AppointmentStatus.COMPLETED
    return treatment


def history(session: Session, actor: Actor, patient_id: int, *, before: str | None = None) -> Page:
    """Return a patient's treatments, newest first, paged by key. Raises NotFound if the actor may not see them."""
    patients.fetch_clinical(session, actor, patient_id)
    query = (
        select(Treatment)
        .join(Treatment.appointment)
        .join(Appointment.doctor)
        .options(contains_eager(Treatment.appointment).contains_eager(Appointment.doctor))
        .where(Appointment.patient_id == patient_id)
        .order_by(Appointment.starts_at.desc(), Treatment.id.desc())
        .limit(PAGE + 1)
    )
    if before:
        query = query.where(tuple_(Appointment.starts_at, Treatment.id) < paging.read_key(before))
    found = session.scalars(query).all()
    return Page(*paging.cut(found, PAGE, lambda last: paging.page_key(last.appointment.starts_at, last.id)))


def _checked(typed: Findings, visit_day: date) -> Findings:
    texts = {
        name: checked(getattr(typed, name), name, LONGEST_TYPE if name == "visit_type" else LONGEST_TEXT)
        for name in TEXTS
    }
    if not any(texts.values()):
        raise Invalid(_("Fill in at least one field."), "treatment")
    if typed.next_visit is not None and typed.next_visit < visit_day:
        raise Invalid(_("The next appointment can't be before this one."), "next_visit")
    return Findings(**texts, next_visit=typed.next_visit)


def _of(treatment: Treatment) -> Findings:
    """Return the current content of a treatment."""
    return Findings(**{field.name: getattr(treatment, field.name) for field in fields(Findings)})


def _replace(session: Session, actor: Actor, treatment: Treatment, written: Findings) -> None:
    """Save the current version of the treatment, then write the new one."""
    before = {**vars(_of(treatment)), "next_visit": treatment.next_visit and treatment.next_visit.isoformat()}
    now = clock.now()
    session.add(
        TreatmentVersion(
            treatment_id=treatment.id,
            version=treatment.version,
            fields=before,
            recorded_by_id=treatment.recorded_by_id,
            replaced_at=now,
        )
    )
    for name, value in vars(written).items():
        setattr(treatment, name, value)
    treatment.recorded_by_id, treatment.updated_at = actor.user_id, now
