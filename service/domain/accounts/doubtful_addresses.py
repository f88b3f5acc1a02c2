"""Addresses an earlier release may have stored wrongly, listed for staff until confirmed or corrected."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.accounts import addresses, user_tokens
from service.domain.foundation import audit, contact_details
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.patients import patient_records, patients
from service.language.translation import gettext as _
from service.storage.models import AddressForm, Guardian, Patient, User

MOST_LISTED = 100


def of_patients(session: Session, actor: Actor) -> Sequence[Patient]:
    """The records whose address is doubtful, oldest first, at most 100; none for people who aren't at the desk."""
    if actor.role not in patients.DESK:
        return []
    doubtful = (Patient.email_form == AddressForm.DOUBTFUL, Patient.merged_into_id.is_(None))
    return session.scalars(select(Patient).where(*doubtful).order_by(Patient.id).limit(MOST_LISTED)).all()


def of_accounts(session: Session, actor: Actor) -> Sequence[User]:
    """The accounts whose address is doubtful, oldest first, at most 100; none for anyone but the admin."""
    if actor.role != Role.ADMIN:
        return []
    doubtful = (User.email_form == AddressForm.DOUBTFUL, User.disabled_at.is_(None))
    return session.scalars(select(User).where(*doubtful).order_by(User.id).limit(MOST_LISTED)).all()


def count(session: Session, actor: Actor) -> int:
    """How many addresses the two lists show the actor."""
    return len(of_patients(session, actor)) + len(of_accounts(session, actor))


def settle_patient(session: Session, actor: Actor, patient_id: int, email: str) -> None:
    """Write down what a record's address really is; the stored one again confirms it.

    The patient accounts that look after the record under the same address follow. Raises NotFound, Forbidden,
    Invalid, and Conflict for a merged or erased record or an address of another account.
    """
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can check addresses."))
    patient = patient_records.to_change(session, actor, patient_id)
    address = contact_details.checked_email(email)
    theirs = (Guardian.patient_id == patient_id, User.email_key == patient.email_key, User.role == Role.PATIENT)
    users = session.scalars(select(User).join(Guardian, Guardian.user_id == User.id).where(*theirs)).all()
    for user in users:
        if user.email_form != AddressForm.TYPED and (address == user.email or addresses.corrects(user, address)):
            _settle(session, actor, user, address)
    if address == patient.email:
        patient.email_form = AddressForm.TYPED
    else:
        patient.email = address
    audit.record(session, actor, "patient.address", patient_id=patient_id, changes=audit.changes_of(patient))


def settle_account(session: Session, actor: Actor, user_id: int, email: str) -> None:
    """The same for an account, which keeps its address otherwise: only a spelling that was lost can be put back.

    Raises NotFound, Forbidden, Invalid for another address than the stored one, Conflict for one of another account.
    """
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only administrators can manage accounts."))
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound
    address = contact_details.checked_email(email)
    if address != user.email and not addresses.corrects(user, address):
        words = _("This is a different address. Only the owner of the account can change it, on their account page.")
        raise Invalid(words, "email")
    _settle(session, actor, user, address)


def _settle(session: Session, actor: Actor, user: User, address: str) -> None:
    other = addresses.of(session, address)
    if other is not None and other.id != user.id:
        raise Conflict(_("Another account already uses this e-mail address."))
    if address == user.email:
        user.email_form = AddressForm.TYPED
    else:
        user.email = address
        user_tokens.revoke(session, user.id)  # links that may lie in someone else's mailbox
    audit.record(session, actor, "user.address", subject=f"user/{user.id}", changes=audit.changes_of(user))
