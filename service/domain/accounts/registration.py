"""Registering oneself: a new patient with an account, whom the desk confirms or merges later."""

from sqlalchemy.orm import Session

from service.domain.accounts import addresses, users
from service.domain.accounts.users import NewUser
from service.domain.foundation import audit, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.foundation.throttle import Act
from service.domain.patients.details import PatientDetails
from service.language.translation import gettext as _


def attempt(session: Session, address: str) -> None:
    """Count a registration from a network address. Raises Throttled."""
    throttle.attempt(session, Act.REGISTRATION, network=address)


def register(session: Session, details: PatientDetails, *, password_hash: str, address: str) -> None:
    """Make the account and the record; for an e-mail that has an account nothing but a note in the audit.

    Whoever asks learns nothing from which of the two it was. Raises Invalid without an e-mail.
    """
    if details.email is None:
        raise Invalid(_("Please fill this in."), "email")
    asker = Actor(Role.SYSTEM, address=address)
    known = addresses.holder(session, details.email)
    if known is not None:
        audit.record(session, asker, "user.register_again", subject=f"user/{known.user.id}")
        return
    try:
        with session.begin_nested():
            new = NewUser(Role.PATIENT, details.email, details.name, password_hash=password_hash)
            user = users.make(session, new)
    except Conflict:  # registered twice at the same moment, on PostgreSQL: the other one won
        return
    patient = users.give_record(session, user, details, registered_at=user.created_at)
    audit.record(session, asker, "user.register", patient_id=patient.id, subject=f"user/{user.id}")
