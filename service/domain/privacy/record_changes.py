"""Earlier versions: what a record said before each correction, who changed it and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.patients import patients
from service.domain.privacy import audit_log
from service.storage.models import AuditDetail, AuditEntry, User

MOST = 200
ACTS = ("patient.change", "patient.alerts", "treatment.correct")


@dataclass(frozen=True)
class Change:
    """One correction: who and when, and each field before and after."""

    at: datetime
    act: str
    person: str
    role: str
    subject: str | None
    fields: Mapping[str, Sequence[Any]]


def of_patient(session: Session, actor: Actor, patient_id: int) -> Sequence[Change]:
    """A record's corrections, newest first, at most 200: all for its doctors, without clinical texts for the desk.

    Raises NotFound for a patient who is none of the actor's.
    """
    patients.fetch(session, actor, patient_id)
    acts = [act for act in ACTS if actor.role == Role.DOCTOR or act not in audit_log.CLINICAL]
    rows = session.execute(
        select(AuditEntry.at, AuditEntry.act, AuditEntry.role, AuditEntry.subject, User.name, AuditDetail.changes)
        .join(AuditDetail, AuditDetail.entry_id == AuditEntry.id)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(AuditEntry.patient_id.in_(patients.records_of(patient_id)), AuditEntry.act.in_(acts))
        .where(AuditDetail.changes.is_not(None))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(MOST)
    )
    return [Change(row.at, row.act, row.name or "", row.role, row.subject, row.changes) for row in rows]


def note_read(session: Session, actor: Actor, patient_id: int) -> None:
    """Put on record that someone read the earlier versions."""
    audit.record(session, actor, "patient.changes", patient_id=patient_id)
