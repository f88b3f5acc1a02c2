"""Guardians: which users act for which patients; either may have several."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import addresses, users
from service.domain.accounts.users import NewUser
from service.domain.foundation import audit, contact_details
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.domain.outbox import outbox
from service.domain.patients import patient_records, patients, record_owners
from service.language.translation import gettext as _
from service.storage.models import Guardian, Patient, User


def of_patient(session: Session, actor: Actor, patient_id: int) -> Sequence[User]:
    """The users who look after a patient, for the desk; no one for others."""
    if actor.role not in patients.DESK:
        return []
    query = select(User).join(Guardian, Guardian.user_id == User.id).where(Guardian.patient_id == patient_id)
    return session.scalars(query.order_by(User.name, User.id).limit(50)).all()


def link(
    session: Session, actor: Actor, patient_id: int, *, email: str, name: str = "", wait_hours: int
) -> tuple[User, bool]:
    """Let the user of an address look after a patient; a new address makes a user without a password yet.

    They read clinical texts after `wait_hours`, at once where the address is the record's own; anyone else's access
    is told to the owner of the record. Returns the user and whether they are new. Raises NotFound, Forbidden,
    Throttled, Conflict (merged), and Invalid for what is no address, or the address of someone who works here.
    """
    patient = _to_link(session, actor, patient_id)
    address = contact_details.checked_email(email)
    known = addresses.holder(session, address)
    if known is not None and not known.is_certain:
        words = _(
            "An older account with the address %(email)s may belong to this person. Have that address checked first."
        )
        raise Invalid(words % {"email": known.user.email}, "email")
    user = known.user if known else None
    is_new = user is None
    if user is None:
        user = users.make(session, NewUser(Role.PATIENT, address, name.strip() or patient.name))
        users.mail_invite(session, actor, user)
        audit.record(session, actor, "user.add", patient_id=patient_id, subject=f"user/{user.id}")
    if user.role != Role.PATIENT:
        raise Invalid(_("This address belongs to a staff member. Use their private address."), "email")
    if session.get(Guardian, (user.id, patient_id)) is None:
        for other in of_patient(session, actor, patient_id):  # who reads this record already hears of it
            outbox.to_user(session, "account_changed", other, event="guardian.add")
        guardian = Guardian(user_id=user.id, patient_id=patient_id, created_at=clock.now())
        if not record_owners.is_own_address(session, patient, address, wait_hours):
            guardian.clinical_from = guardian.created_at + timedelta(hours=wait_hours)
            record_owners.tell(session, "guardian_linked", patient_id, event="guardian.add")
        session.add(guardian)
        audit.record(session, actor, "guardian.add", patient_id=patient_id, subject=f"user/{user.id}")
    return user, is_new


def unlink(session: Session, actor: Actor, patient_id: int, *, user_id: int) -> None:
    """A user looks after this patient no more, from their next click on. Raises NotFound, Forbidden, Conflict."""
    _to_link(session, actor, patient_id)
    mine = (Guardian.user_id == user_id, Guardian.patient_id == patient_id)
    removed = session.scalar(delete(Guardian).where(*mine).returning(Guardian.user_id))
    if removed is None:
        raise NotFound
    audit.record(session, actor, "guardian.remove", patient_id=patient_id, subject=f"user/{user_id}")


def _to_link(session: Session, actor: Actor, patient_id: int) -> Patient:
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can change who acts for a patient."))
    return patient_records.to_change(session, actor, patient_id)
