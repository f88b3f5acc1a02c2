"""Which messages a patient agreed to, through which channel, and in which language. Each change is recorded.

A refusal is stored with the address it was given for, and applies to every record that gets this address later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Row, exists, select
from sqlalchemy.orm import Session, aliased

from service import clock
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import SYSTEM, Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid
from service.domain.outbox.channels import CHANNELS, WAYS
from service.domain.patients import patients
from service.language import catalogs
from service.language.translation import gettext as _
from service.storage.models import Channel, ConsentChange, ConsentVia, Patient, User

SHOWN = 20


@dataclass(frozen=True)
class Wishes:
    """What a patient wants. Fields that are left out stay unchanged."""

    allowed: Mapping[Channel, bool] = field(default_factory=dict)
    preferred: str | None = None
    """The channel to try first."""
    language: str | None = None
    """Empty for the clinic's language."""
    written_to: str | None = None
    """The address that the message with their link went to; None for the address on the record."""


def change(
    session: Session,
    actor: Actor,
    patient_id: int,
    wishes: Wishes,
    via: ConsentVia,
) -> None:
    """Set what a patient agrees to, and record who said so and how.

    Raises NotFound, Forbidden, Invalid, and Conflict for a merged or erased record.
    """
    if actor.role not in patients.DESK and actor.role != Role.PATIENT:
        raise Forbidden(_("Only the patient, receptionists, and administrators can change which messages are sent."))
    locks.patients(session, patient_id)
    patient = patients.fetch(session, actor, patient_id)
    patients.refuse_merged(patient)
    patients.refuse_erased(patient)
    if wishes.preferred is not None and wishes.preferred not in WAYS:
        raise Invalid(_("Choose e-mail or SMS."), "preferred")
    if wishes.language and wishes.language not in catalogs.offered():
        raise Invalid(_("Choose one of the languages in the list."), "language")
    for channel, allowed in wishes.allowed.items():
        if allowed != CHANNELS[channel].is_allowed_by(patient):
            setattr(patient, CHANNELS[channel].allowed.key, allowed)
            in_mail = wishes.written_to if CHANNELS[channel].is_mail else None
            note(session, actor, patient, channel, via, address=in_mail)
    if wishes.preferred is not None:
        patient.preferred_channel = Channel(wishes.preferred)
    if wishes.language is not None:
        patient.language = wishes.language or None


def note(
    session: Session, actor: Actor, patient: Patient, channel: Channel, via: ConsentVia, *, address: str | None = None
) -> None:
    """Record what a patient allows from now on, for the record's address or another `address`."""
    session.add(
        ConsentChange(
            patient_id=patient.id,
            channel=channel,
            allowed=CHANNELS[channel].is_allowed_by(patient),
            via=via,
            address=CHANNELS[channel].compared_form(address or CHANNELS[channel].address_of(patient)),
            changed_by_id=actor.user_id,
            changed_at=clock.now(),
        )
    )
    audit.record(session, actor, "patient.consent", patient_id=patient.id, subject=f"{channel}/{via}")


def keep_refusals(session: Session, which: ColumnElement[bool]) -> None:
    """Turn off the channels of these patients whose address was refused before, on any record.

    Call this after every change of an address. Patients can allow the channel again afterwards.
    """
    session.flush()
    for way in WAYS:
        kind = CHANNELS[way]
        for patient in session.scalars(select(Patient).where(which, kind.allowed, _is_refused(way))).all():
            setattr(patient, kind.allowed.key, False)
            note(session, SYSTEM, patient, way, ConsentVia.ADDRESS)


def _is_refused(way: Channel) -> ColumnElement[bool]:
    """Return whether the latest statement about the address of a patient's row was a refusal, on any record."""
    later = aliased(ConsentChange)
    said = ConsentChange.channel == way, ConsentChange.address == CHANNELS[way].compared
    taken_back = exists().where(
        later.patient_id == ConsentChange.patient_id,
        later.channel == way,
        later.address == ConsentChange.address,
        later.id > ConsentChange.id,
    )
    return exists().where(*said, ConsentChange.allowed.is_(False), ~taken_back)


def history(session: Session, actor: Actor, patient_id: int) -> Sequence[Row[Channel, bool, ConsentVia, datetime, str]]:
    """Return a patient's latest consent changes, newest first, each with the `name` of the user."""
    patients.fetch(session, actor, patient_id)
    query = (
        select(
            ConsentChange.channel,
            ConsentChange.allowed,
            ConsentChange.via,
            ConsentChange.changed_at,
            User.name,
        )
        .outerjoin(User, User.id == ConsentChange.changed_by_id)
        .where(ConsentChange.patient_id == patient_id)
        .order_by(ConsentChange.changed_at.desc(), ConsentChange.id.desc())
    )
    return session.execute(query.limit(SHOWN)).all()


def of_patients(session: Session, ids: Sequence[int]) -> Sequence[Patient]:
    """Return the patients with these ids, in order of the ids."""
    return session.scalars(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.id)).all()
