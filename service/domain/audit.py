"""The record of who did what to whose data: one function, called by every act."""

from sqlalchemy.orm import Session

from service import clock
from service.domain.actor import Actor
from service.models import AuditEntry


def record(
    session: Session, actor: Actor, act: str, *, patient_id: int | None = None, subject: str | None = None
) -> None:
    """Note an act in the same transaction as what it did.

    `act` is a dotted verb such as `treatment.record`; `subject` names the row, such as `export/ab12`,
    and never holds a name or a clinical text.
    """
    session.add(
        AuditEntry(
            at=clock.now(),
            user_id=actor.user_id,
            role=actor.role,
            address=actor.address,
            act=act,
            patient_id=patient_id,
            subject=subject,
        )
    )
