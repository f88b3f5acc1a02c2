"""Remove the names of erased patients from stored reports, and keep them out of new ones."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.patients import patients
from service.storage.models import Patient

CLINICAL_KEYS = frozenset(
    {"reason", "visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes", "cancellation_reason"}
)
"""Texts about a patient that a report may contain."""


def hide(part: Any, name: str, ids: Collection[int]) -> bool:
    """Replace names with `name` and remove texts in JSON about these patients, and return whether there were any."""
    if isinstance(part, list):
        return sum(hide(one, name, ids) for one in part) > 0  # all of them, not only until the first
    if not isinstance(part, dict):
        return False
    if part.get("patient_id") not in ids:
        return sum(hide(one, name, ids) for one in part.values()) > 0
    for key in part:
        if key == "patient_name":
            part[key] = name
        elif key in CLINICAL_KEYS:
            part[key] = ""
    return True


def settle(session: Session, content: Any, *, also: Any = None) -> None:
    """Hide patients in `content` who were erased since, and lock the others (and those in `also`) until the commit.

    Call it in the transaction that stores the content, before other locks.
    """
    ids = {*_named(content), *_named(also)}
    rows = select(Patient.id, Patient.merged_into_id, Patient.erased_at).where(Patient.id.in_(ids)).order_by(Patient.id)
    for patient_id, merged_into_id, erased_at in session.execute(rows.with_for_update(read=True)):
        if erased_at is not None:
            hide(content, patients.pseudonym(merged_into_id or patient_id), {patient_id})


def _named(part: Any) -> Iterator[int]:
    """Yield the ids of the patients that a piece of JSON is about."""
    if isinstance(part, dict):
        if "patient_id" in part:
            yield part["patient_id"]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _named(one)
