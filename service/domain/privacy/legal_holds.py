"""Legal holds: reasons why a record may not be erased for now, put and lifted by the admin."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit, locks, texts
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.domain.patients import patient_records, patients
from service.language.translation import gettext as _
from service.storage.models import LegalHold

LONGEST_REASON = 500


def standing(session: Session, actor: Actor, patient_id: int) -> Sequence[LegalHold]:
    """The holds that stand on a person's records, oldest first. Raises NotFound, Forbidden for who is not the admin."""
    _only_admin(actor)
    patients.fetch(session, actor, patient_id)
    theirs = LegalHold.patient_id.in_(patients.records_of(patient_id)), LegalHold.lifted_at.is_(None)
    return session.scalars(select(LegalHold).where(*theirs).order_by(LegalHold.id)).all()


def put(session: Session, actor: Actor, patient_id: int, *, reason: str) -> LegalHold:
    """Let no one erase the record until this is lifted.

    Raises NotFound, Forbidden, Invalid, and Conflict for a record that was erased or merged.
    """
    _only_admin(actor)
    patient_records.to_change(session, actor, patient_id)
    why = texts.checked(reason, "reason", LONGEST_REASON)
    if not why:
        raise Invalid(_("Enter something here."), "reason")
    hold = LegalHold(patient_id=patient_id, reason=why, created_by_id=actor.user_id, created_at=clock.now())
    session.add(hold)
    session.flush()
    changes = audit.changed({}, {"reason": why})
    audit.record(session, actor, "patient.hold", patient_id=patient_id, subject=f"hold/{hold.id}", changes=changes)
    return hold


def lift(session: Session, actor: Actor, patient_id: int, hold_id: int) -> None:
    """The reason is gone. Raises NotFound, Forbidden."""
    _only_admin(actor)
    locks.patients(session, patient_id)
    hold = session.scalar(select(LegalHold).where(LegalHold.id == hold_id, LegalHold.patient_id == patient_id))
    if hold is None:
        raise NotFound
    if hold.lifted_at is None:
        hold.lifted_at, hold.lifted_by_id = clock.now(), actor.user_id
        audit.record(session, actor, "patient.lift_hold", patient_id=patient_id, subject=f"hold/{hold_id}")


def _only_admin(actor: Actor) -> None:
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can place or lift a legal hold."))
