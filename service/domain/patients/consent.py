"""Which messages a patient agreed to, by which way and in which language; each change says who and when."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid
from service.domain.patients import patients
from service.language import message_texts
from service.language.translation import gettext as _
from service.storage.models import Channel, ConsentChange, ConsentVia, Patient, User

CHANNELS = (Channel.EMAIL, Channel.SMS)
SHOWN = 20


def change(
    session: Session,
    actor: Actor,
    patient_id: int,
    *,
    via: ConsentVia,
    email: bool | None = None,
    sms: bool | None = None,
    preferred: str | None = None,
    language: str | None = None,
) -> None:
    """Set what a patient agrees to; None leaves a thing as it is, an empty language means the clinic's.

    Raises NotFound, Forbidden, Invalid.
    """
    if actor.role not in patients.DESK and actor.role != Role.PATIENT:
        raise Forbidden(_("Only the patient or the desk says which messages are wanted."))
    session.execute(select(Patient.id).where(Patient.id == patient_id).with_for_update())
    patient = patients.fetch(session, actor, patient_id)
    if preferred is not None and preferred not in CHANNELS:
        raise Invalid(_("Choose e-mail or SMS."), "preferred")
    if language and language not in message_texts.LANGUAGES:
        raise Invalid(_("Choose one of the languages."), "language")
    for channel, allowed in ((Channel.EMAIL, email), (Channel.SMS, sms)):
        if allowed is not None and allowed != getattr(patient, f"{channel}_allowed"):
            setattr(patient, f"{channel}_allowed", allowed)
            session.add(
                ConsentChange(
                    patient_id=patient.id,
                    channel=channel,
                    allowed=allowed,
                    via=via,
                    changed_by_id=actor.user_id,
                    changed_at=clock.now(),
                )
            )
            audit.record(session, actor, "patient.consent", patient_id=patient.id, subject=f"{channel}/{via}")
    if preferred is not None:
        patient.preferred_channel = Channel(preferred)
    if language is not None:
        patient.language = language or None


def history(session: Session, actor: Actor, patient_id: int) -> Sequence[Row[Channel, bool, ConsentVia, datetime, str]]:
    """The last changes of a patient's consent, newest first: `channel, allowed, via, changed_at, name` of who."""
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
    """The patients a link is for, in order of their ids."""
    return session.scalars(select(Patient).where(Patient.id.in_(ids)).order_by(Patient.id)).all()
