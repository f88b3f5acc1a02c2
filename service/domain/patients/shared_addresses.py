"""An e-mail address that several records bear, such as a family's: who bears it, and a change for all of them."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.domain.patients import consent, patients
from service.storage.models import Patient

MOST = 50


def bearing(session: Session, actor: Actor, key: str | None, *, but: int | None = None) -> Sequence[Patient]:
    """The records the actor looks after that bear the address of a comparing key, by name, without the record `but`."""
    if not key:
        return []
    same = (Patient.email_key == key, Patient.id != (but or 0), patients.PRESENT, patients.visible(actor))
    return session.scalars(select(Patient).where(*same).order_by(Patient.name, Patient.id).limit(MOST)).all()


def change(session: Session, actor: Actor, before: str, after: str | None, chosen: Collection[int] | None) -> list[int]:
    """Give the chosen records that bear an address another one, all of them when nobody chose; returns their ids.

    A record the actor does not look after, or that bears another address by now, is left alone.
    """
    changed = []
    for patient in bearing(session, actor, before):
        if chosen is not None and patient.id not in chosen:
            continue
        patient.email = after
        audit.record(session, actor, "patient.change", patient_id=patient.id, changes=audit.changes_of(patient))
        consent.keep_refusals(session, Patient.id == patient.id)
        changed.append(patient.id)
    return changed
