"""The owner of a record: which addresses are theirs, and notices about who gets access to the record."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from service import clock
from service.domain.outbox import outbox
from service.mail_addresses import address_key
from service.storage.models import AddressForm, AuditDetail, AuditEntry, Patient

ADDRESS_CHANGES = ("patient.change", "patient.address", "patient.merge")
"""Audit acts that can change the address of a record."""
REMEMBERED = timedelta(days=30)
"""How long a former address of a record still gets notices about access to it."""


def tell(session: Session, rule: str, patient_id: int, *, event: str, also: str | None = None) -> None:
    """Queue a notice about access to the record's address, its recent former addresses, and `also`.

    Former addresses are included because someone who gives access to a stranger could change the address first.
    """
    left = [address for address in _changes(session, patient_id, clock.now() - REMEMBERED) if address]
    outbox.notice(session, rule, patient_id, event=event, also={*left, *([also] if also else [])})


def is_own_address(session: Session, patient: Patient, address: str, hours: int) -> bool:
    """Return whether an e-mail address is the record's own: it was there from the start, or for some hours.

    An address that an earlier version may have stored wrongly doesn't count until someone has checked it.
    """
    known_since = clock.now() - timedelta(hours=hours)
    is_theirs = patient.email_key == address_key(address) and patient.email_form != AddressForm.DOUBTFUL
    return is_theirs and all(
        before and address_key(before) == patient.email_key for before in _changes(session, patient.id, known_since)
    )


def _changes(session: Session, patient_id: int, since: datetime) -> Sequence[str | None]:
    """Return the e-mail address before each change since an instant; None where it is unknown."""
    query = (
        select(AuditEntry.act, AuditDetail.changes)
        .outerjoin(AuditDetail, AuditDetail.entry_id == AuditEntry.id)
        .where(AuditEntry.patient_id == patient_id, AuditEntry.at > since, AuditEntry.act.in_(ADDRESS_CHANGES))
    )
    found: list[str | None] = []
    for act, changes in session.execute(query):
        if act == "patient.merge":
            found.append(None)
        elif "email" in (changes or {}):
            found.append(changes["email"][0])
    return found
