"""What may never be, whatever two people did at the same moment."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from service.domain.foundation.actor import Role
from service.storage.models import (
    TAKES_PLACE,
    Appointment,
    AppointmentStatus,
    Export,
    ExportStatus,
    LegalHold,
    Message,
    Offer,
    Patient,
    Report,
    Treatment,
    User,
    WaitlistEntry,
)
from tests.at_once.scene import EIGHT, ONE_AT_ONCE, Scene


def wrong(scene: Scene) -> list[str]:
    """What may never be, whatever was done at the same moment."""
    theirs = Patient.id.in_((scene.patient, scene.other))
    with scene.house.reading() as session:
        found = [
            sentence for sentence, rows in _impossible(theirs).items() if session.scalar(rows.limit(1)) is not None
        ]
        is_erased = session.get_one(Patient, scene.patient).erased_at is not None
        reported = str(session.scalars(select(Report.content).where(Report.doctor_id == scene.doctor)).all())
    if is_erased and scene.name in reported:
        found.append("an erased person is in a report")
    return found


def _impossible(theirs: ColumnElement[bool]) -> Mapping[str, Select[int]]:
    """Sentences, each with the rows that must not be there."""
    other, gone = aliased(Appointment), and_(theirs, Patient.archived_at.is_not(None))
    erased, merged = and_(theirs, Patient.erased_at.is_not(None)), and_(theirs, Patient.merged_into_id.is_not(None))
    visits = select(Appointment.id).join(Patient, Patient.id == Appointment.patient_id)
    entries = select(WaitlistEntry.id).join(Patient, Patient.id == WaitlistEntry.patient_id)
    holds = select(LegalHold.id).join(Patient, Patient.id == LegalHold.patient_id)
    messages_of = select(Message.id).join(Patient, Patient.id == Message.patient_id)
    exclusive = Appointment.status.in_(TAKES_PLACE), Appointment.overbooked.is_(False)
    same = or_(other.doctor_id == Appointment.doctor_id, other.patient_id == Appointment.patient_id)
    meets = other.starts_at < Appointment.ends_at, other.ends_at > Appointment.starts_at, other.id > Appointment.id
    overlapping = exists().where(same, *meets, other.status.in_(TAKES_PLACE), other.overbooked.is_(False))
    told_again = aliased(Message)
    alike = (getattr(told_again, name) == getattr(Message, name) for name in ("rule", "appointment_id", "starts_at"))
    return {
        "a visit is open for somebody who is gone": visits.where(gone, Appointment.is_expected()),
        "somebody who is gone waits": entries.where(gone, WaitlistEntry.closed_at.is_(None)),
        "a time is held for somebody who is gone": entries.join(Offer, Offer.waiting_id == WaitlistEntry.id).where(
            gone, Offer.closed_at.is_(None)
        ),
        "a hold stands on an erased record": holds.where(erased, LegalHold.lifted_at.is_(None)),
        "a visit stayed with a merged record": visits.where(merged),
        "an entry stayed with a merged record": entries.where(merged),
        "a hold stayed with a merged record": holds.where(merged),
        "a message stayed with a merged record": messages_of.where(merged),
        "an erased person can be reached": select(Patient.id).where(
            erased, or_(Patient.email.is_not(None), Patient.phone.is_not(None))
        ),
        "a message tells the address of an erased person": messages_of.where(erased, Message.recipient.is_not(None)),
        "the treatment of an erased person can be read": visits.join(
            Treatment, Treatment.appointment_id == Appointment.id
        ).where(erased, Treatment.diagnosis != ""),
        "visits overlap": visits.where(theirs, *exclusive, overlapping),
        "somebody arrived twice": visits.where(theirs, Appointment.status == AppointmentStatus.ARRIVED)
        .group_by(Appointment.patient_id)
        .having(func.count() > 1)
        .with_only_columns(Appointment.patient_id),
        "patients booked more than they may have ahead": visits.where(
            theirs, Appointment.status == AppointmentStatus.BOOKED, Appointment.starts_at > EIGHT
        )
        .where(Appointment.booked_by_id.in_(select(User.id).where(User.role == Role.PATIENT)))
        .group_by(Appointment.patient_id)
        .having(func.count() > ONE_AT_ONCE.max_open)
        .with_only_columns(Appointment.patient_id),
        "a file about an erased person can be downloaded": select(Export.attempts)
        .join(Patient, Patient.id == Export.patient_id)
        .where(erased, Export.status == ExportStatus.AVAILABLE),
        "somebody is told twice": messages_of.where(theirs, exists().where(*alike, told_again.id > Message.id)),
    }
