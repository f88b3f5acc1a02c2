"""The rows that an act locks, always in the same order, so that no two acts deadlock.

The clinic first, then patients, then doctors, each by id, then the appointment or the entry; audit.record() locks
the end of the audit. An act locks before it reads what decides, so the second of two sees what the first one did.
This matters on PostgreSQL: SQLite has one writer at a time.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from service.storage.models import Doctor, Installation, Patient

BATCH = 1000


def clinic(session: Session) -> None:
    """Make other acts that run one at a time in the whole clinic wait for this transaction."""
    session.execute(select(Installation.id).with_for_update())


def patients(session: Session, *patient_ids: int) -> None:
    """Make everyone else who writes about these patients wait for this transaction, and reload their records.

    A row that only refers to a patient, such as an audit entry, doesn't wait.
    """
    ids = sorted(set(patient_ids))
    for start in range(0, len(ids), BATCH):
        rows = select(Patient).where(Patient.id.in_(ids[start : start + BATCH])).order_by(Patient.id)
        session.scalars(rows.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def patients_of(session: Session, owners: Select[int]) -> None:
    """Lock the patients whose ids a query selects, and any it selects by then instead, such as after a merge."""
    held: set[int] = set()
    while more := set(session.scalars(owners)) - held:
        patients(session, *more)
        held |= more


def with_patient(session: Session, owner: Select[Any]) -> None:
    """Lock the patient of a row, then the row itself; `owner` selects the row's patient id.

    If a merge gives the row to another patient meanwhile, that one is locked too.
    """
    patient_id = session.scalar(owner)
    while patient_id is not None:
        patients(session, patient_id)
        patient_id, before = session.scalar(owner.with_for_update(key_share=True)), patient_id
        if patient_id == before:
            return


def doctors(session: Session, which: ColumnElement[bool] | None = None) -> Sequence[int]:
    """Keep everyone from booking with these doctors (None: any) or changing them, and return their ids."""
    rows = select(Doctor.id).where(true() if which is None else which).order_by(Doctor.id)
    return session.scalars(rows.with_for_update(key_share=True)).all()
