"""An e-mail address that several patients share, such as a family's: whose it is, and changing it for all of them."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.domain.patients import consent, patients
from service.storage.models import Patient

MOST = 50


def sharing(session: Session, actor: Actor, key: str | None, *, except_id: int | None = None) -> Sequence[Patient]:
    """Return the records with this `email_key` that the actor can see, by name, without `except_id`."""
    if not key:
        return []
    same = (Patient.email_key == key, Patient.id != (except_id or 0), patients.PRESENT, patients.visible(actor))
    return session.scalars(select(Patient).where(*same).order_by(Patient.name, Patient.id).limit(MOST)).all()


def change(session: Session, actor: Actor, before: str, after: str | None, chosen: Collection[int] | None) -> list[int]:
    """Give the chosen records that share an address another one, or all of them for None; return their ids.

    A record that the actor can't see, or whose address has changed meanwhile, is left alone.
    """
    changed = []
    for patient in sharing(session, actor, before):
        if chosen is not None and patient.id not in chosen:
            continue
        patient.email = after
        audit.record(session, actor, "patient.change", patient_id=patient.id, changes=audit.changes_of(patient))
        consent.keep_refusals(session, Patient.id == patient.id)
        changed.append(patient.id)
    return changed
