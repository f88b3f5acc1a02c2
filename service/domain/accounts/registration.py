"""Self-registration: a mailed link opens an account for a new patient; staff confirm or merge it later."""

from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import addresses, passwords, user_tokens, users
from service.domain.accounts.addresses import Holder
from service.domain.accounts.users import NewUser
from service.domain.foundation import audit, throttle, tokens
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Invalid
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.domain.patients.details import PatientDetails
from service.language.translation import gettext as _
from service.mail_addresses import address_key
from service.storage.models import TokenPurpose, User


def attempt_password(session: Session, details: PatientDetails, address: str) -> None:
    """Count a password that someone wants to register with, before it is estimated. Raises Throttled."""
    passwords.attempt(session, email=address_key(details.email or ""), network=address)


def attempt(session: Session, details: PatientDetails, address: str) -> None:
    """Count a registration of an e-mail from a network address. Raises Throttled, and Invalid without an e-mail."""
    if details.email is None:
        raise Invalid(_("Enter your e-mail address."), "email")
    throttle.attempt(session, Act.REGISTRATION, email=address_key(details.email), network=address)


def register(session: Session, details: PatientDetails, *, password_hash: str, address: str) -> None:
    """Make the account and the record, and mail the link that opens the account; until then no one signs in with it.

    An address that has an account gets a mail that says so. Anyone who asks learns nothing from which of the two it
    was.
    """
    assert details.email is not None
    asker = Actor(Role.SYSTEM, address=address)
    known = addresses.holder(session, details.email)
    if known is not None:
        _again(session, asker, known, password_hash)
        return
    try:
        with session.begin_nested():
            new = NewUser(Role.PATIENT, details.email, details.name, password_hash=password_hash)
            user = users.make(session, new)
    except Conflict:  # registered twice at the same moment, on PostgreSQL: the other one won
        return
    user.unproven_since = user.created_at
    patient = users.give_record(session, user, details, registered_at=user.created_at)
    outbox.to_user(session, "registration", user, event="user.register")
    audit.record(session, asker, "user.register", patient_id=patient.id, subject=f"user/{user.id}")


def asked(session: Session, token: str) -> User | None:
    """Whose registration a usable link proves; None once it was used or is too old."""
    return user_tokens.user_of(session, token, TokenPurpose.REGISTRATION)


def attempt_proof(session: Session, token: str) -> None:
    """Count a try at the password of a registration, of the person who holds its link. Raises Throttled."""
    throttle.attempt(session, Act.PROOF, account=_counted_as(token))


def prove(session: Session, token: str, address: str) -> User:
    """Open the account of someone who has read our mail and gave the password they registered with.

    Without the password the owner of a mailbox would open an account whose password someone else chose. Raises
    Conflict for a dead link.
    """
    user = user_tokens.use_up(session, token, TokenPurpose.REGISTRATION)
    throttle.succeeded(session, Act.PROOF, account=_counted_as(token))
    audit.record(session, Actor(Role(user.role), user_id=user.id, address=address), "user.email_proven")
    return user


def _counted_as(token: str) -> str:
    return f"link/{tokens.digest(token)[:32]}"


def _again(session: Session, asker: Actor, known: Holder, password_hash: str) -> None:
    """Someone registers with an address that has an account: its owner hears of it, or gets the link once more."""
    user = known.user
    audit.record(session, asker, "user.register_again", subject=f"user/{user.id}")
    if not known.is_certain:
        return  # the stored address may be someone else's
    if user.unproven_since is None or user.disabled_at is not None:
        outbox.to_user(session, "email_known", user, event="user.register_again")
        return
    user.password_hash, user.unproven_since = password_hash, clock.now()
    user_tokens.revoke(session, user.id)
    outbox.to_user(session, "registration", user, event="user.register_again")
