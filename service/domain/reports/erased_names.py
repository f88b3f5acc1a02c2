"""Names of erased patients in reports: taken out of kept ones, and kept out of those that are being stored."""

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.patients import patients
from service.storage.models import Patient

CLINICAL_KEYS = frozenset(
    {"reason", "visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes", "cancellation_reason"}
)
"""Texts that a report may hold about a patient."""


def hide(part: Any, name: str, ids: Collection[int]) -> bool:
    """Put `name` into whatever is about these patients in a piece of JSON, without texts; whether there was any."""
    if isinstance(part, list):
        return sum(hide(one, name, ids) for one in part) > 0  # every one, not only until the first
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
    """Hide in `content` who was erased since it was counted; no one on it, or in `also`, is erased until the commit.

    For the transaction that stores it, before that locks anything else.
    """
    ids = {*_named(content), *_named(also)}
    rows = select(Patient.id, Patient.merged_into_id, Patient.erased_at).where(Patient.id.in_(ids)).order_by(Patient.id)
    for patient_id, merged_into_id, erased_at in session.execute(rows.with_for_update(read=True)):
        if erased_at is not None:
            hide(content, patients.pseudonym(merged_into_id or patient_id), {patient_id})


def _named(part: Any) -> Iterator[int]:
    """The patients that a piece of JSON is about."""
    if isinstance(part, dict):
        if "patient_id" in part:
            yield part["patient_id"]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _named(one)
