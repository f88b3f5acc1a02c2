"""Row locks, always in the same order, so that actions don't deadlock.

First the clinic, then patients, then doctors, each by id, then the appointment or the entry. audit.record() locks the
end of the audit log. Lock before you read what decides, so that the second of two actions sees what the first one did.
This matters on PostgreSQL; SQLite has one writer at a time.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from service.storage.models import Doctor, Installation, Patient

BATCH = 1000


def clinic(session: Session) -> None:
    """Lock the clinic, for actions that must run one at a time."""
    session.execute(select(Installation.id).with_for_update())


def patients(session: Session, *patient_ids: int) -> None:
    """Lock patients, and reload their records.

    Inserting a row that only refers to a patient, such as an audit entry, doesn't have to wait.
    """
    ids = sorted(set(patient_ids))
    for start in range(0, len(ids), BATCH):
        rows = select(Patient).where(Patient.id.in_(ids[start : start + BATCH])).order_by(Patient.id)
        session.scalars(rows.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def patients_of(session: Session, owners: Select[int]) -> None:
    """Lock the patients whose ids a query selects, and those it selects then, such as after a merge."""
    held: set[int] = set()
    while more := set(session.scalars(owners)) - held:
        patients(session, *more)
        held |= more


def with_patient(session: Session, owner: Select[Any]) -> None:
    """Lock the patient of a row, then the row itself; `owner` selects the row's patient id.

    If a merge gives the row to another patient meanwhile, that patient is locked, too.
    """
    patient_id = session.scalar(owner)
    while patient_id is not None:
        patients(session, patient_id)
        patient_id, before = session.scalar(owner.with_for_update(key_share=True)), patient_id
        if patient_id == before:
            return


def doctors(session: Session, which: ColumnElement[bool] | None = None) -> Sequence[int]:
    """Lock doctors (None: all) against booking and changes, and return their ids."""
    rows = select(Doctor.id).where(true() if which is None else which).order_by(Doctor.id)
    return session.scalars(rows.with_for_update(key_share=True)).all()
