"""Users: created by an administrator or by setup, and invited by a link."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.accounts import addresses, api_tokens, sessions, user_tokens
from service.domain.accounts.passwords import NewPassword
from service.domain.foundation import audit, contact_details, installation, locks, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.domain.foundation.throttle import Act
from service.domain.outbox import outbox
from service.domain.patients import patient_records
from service.domain.patients.details import PatientDetails
from service.language.translation import gettext as _
from service.storage.models import Doctor, Guardian, Patient, TokenPurpose, User

INVITE_DAYS = user_tokens.LASTING[TokenPurpose.INVITE].days


def none_exist(session: Session) -> bool:
    """Whether the clinic has no user yet, so that setup is still open."""
    return not session.scalar(select(exists().where(User.id > 0)))


@dataclass(frozen=True)
class NewUser:
    """Someone who is to sign in, and the doctor or patient behind them, as it was typed."""

    role: Role
    email: str
    name: str
    department: str = ""
    """Of a doctor."""
    birth_date: date | None = None
    """Of a patient."""
    phone: str = ""
    """Of a patient."""
    password_hash: str | None = None
    """None: they choose a password by a link."""


def add(session: Session, actor: Actor, new: NewUser, clinic: Clinic) -> User:
    """Make a user and the doctor or patient behind it. Raises Invalid, Conflict (e-mail already used), Forbidden."""
    if actor.role not in (Role.ADMIN, Role.SYSTEM):
        raise Forbidden(_("Only administrators can add users."))
    user = make(session, new)
    match new.role:
        case Role.DOCTOR:
            department = contact_details.checked_department(new.department)
            session.add(Doctor(user_id=user.id, name=user.name, department=department, created_at=user.created_at))
        case Role.PATIENT:
            who = PatientDetails.checked(user.name, new.birth_date, new.phone, user.email, clinic)
            give_record(session, user, who)
        case Role.ADMIN | Role.RECEPTIONIST | Role.SYSTEM:
            pass
        case never:
            assert_never(never)
    if new.password_hash is None and actor.role != Role.SYSTEM:  # a command prints the link
        mail_invite(session, actor, user)
    audit.record(session, actor, "user.add", subject=f"user/{user.id}")
    return user


def mail_invite(session: Session, actor: Actor, user: User) -> None:
    """Have the link mailed by which a new user chooses a password. Raises Throttled."""
    throttle.attempt(session, Act.INVITE, account=actor.user_id, email=user.email_key)
    outbox.to_user(session, "invite", user, event="user.add")


def make(session: Session, new: NewUser) -> User:
    """The bare user, for acts that say who may make one. Raises Invalid, and Conflict for an e-mail already used."""
    email = contact_details.checked_email(new.email)
    if addresses.holder(session, email) is not None:
        raise Conflict(_("Another account already uses this e-mail address."))
    user = User(
        email=email,
        name=contact_details.checked_name(new.name),
        role=new.role,
        password_hash=new.password_hash,
        created_at=clock.now(),
    )
    session.add(user)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(_("Another account already uses this e-mail address.")) from None
    installation.note_first_user(session)
    return user


def give_record(session: Session, user: User, who: PatientDetails, *, registered_at: datetime | None = None) -> Patient:
    """Make the record of a patient's user, who looks after it."""
    patient = patient_records.make(session, who, registered_at=registered_at)
    session.add(Guardian(user_id=user.id, patient_id=patient.id, created_at=user.created_at))
    return patient


def add_first_admin(session: Session, new: NewUser, address: str) -> User:
    """The admin whom the setup page makes, from a network address, once. Raises NotFound when a user exists already."""
    locks.clinic(session)
    if not none_exist(session):
        raise NotFound
    user = make(session, new)
    audit.record(session, Actor(Role.SYSTEM, address=address), "user.add", subject=f"user/{user.id}")
    return user


def invite(session: Session, user: User) -> str:
    """A one-use token for a link that lets the user choose a password within seven days; earlier links die."""
    user_tokens.revoke(session, user.id)
    return user_tokens.issue(session, user.id, TokenPurpose.INVITE)


def invited(session: Session, token: str) -> User | None:
    """Whom a usable invite is for; None once it was used or is too old, or the account is in use."""
    user = user_tokens.user_of(session, token, TokenPurpose.INVITE)
    return None if user is None or user.is_in_use else user


def accept_invite(session: Session, token: str, password: NewPassword, address: str) -> User:
    """Set the password an invited user chose; the link is used up.

    `address` is where it came from. Raises Conflict for a dead link, such as one that is older than the first use.
    """
    user = user_tokens.use_up(session, token, TokenPurpose.INVITE)
    if user.is_in_use:
        raise Conflict(_("This account is already in use. Sign in, or reset your password from the sign-in page."))
    set_password(session, user, password)
    user.unproven_since = None  # the desk handed the link over
    actor = Actor(Role(user.role), user.name, user.id, address=address)
    audit.record(session, actor, "user.invite_accepted", subject=f"user/{user.id}")
    return user


def set_password(session: Session, user: User, password: NewPassword) -> None:
    """Put a new password in the place of the old one: every session, link and token of the user ends.

    Raises Conflict for a short one when the second factor it was chosen for is gone.
    """
    if password.is_short and not session.scalar(select(sessions.has_second_factor(user.id))):
        raise Conflict(_("Without a second factor, you need a longer password. Choose another one."))
    user.password_hash, user.password_is_short = password.hash, password.is_short
    sessions.end_all(session, user.id)
    user_tokens.revoke(session, user.id)
    api_tokens.revoke_all(session, user.id)
