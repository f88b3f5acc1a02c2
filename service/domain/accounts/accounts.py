"""User accounts: list, invite, deactivate, reactivate; mostly for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import addresses, api_tokens, second_factors, sessions, user_tokens, users
from service.domain.foundation import audit, paging
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, NotFound
from service.domain.outbox import outbox
from service.domain.patients import patients, record_owners
from service.language.translation import gettext as _
from service.storage.models import Doctor, Guardian, Patient, SignIn, User, UserToken

PAGE = 25
STAFF_ROLES = (Role.ADMIN, Role.RECEPTIONIST, Role.DOCTOR)


@dataclass(frozen=True)
class Account:
    """A user, when they signed in last (of the sessions still known: about a month), and until when a link works."""

    user: User
    last_sign_in: datetime | None
    invited_until: datetime | None


@dataclass(frozen=True)
class Page:
    """Some accounts by name, and after whom the next page starts."""

    accounts: Sequence[Account]
    after: int | None


def listing(session: Session, actor: Actor, *, of_patients: bool, text: str = "", after: int | None = None) -> Page:
    """Accounts of those who work here, or of patients, whose name or address holds a text. Raises Forbidden."""
    _only_admin(actor)
    query = select(User).where((User.role == Role.PATIENT) if of_patients else User.role.in_(STAFF_ROLES))
    sought = text.replace("\0", "").strip()[:200]
    if sought:
        in_name = func.lower(User.name).contains(sought.lower(), autoescape=True)
        query = query.where(or_(in_name, addresses.holding(sought)))
    if after is not None:
        last = session.get(User, after)
        if last is None:
            raise NotFound
        query = query.where(tuple_(User.name, User.id) > (last.name, last.id))
    found = session.scalars(query.order_by(User.name, User.id).limit(PAGE + 1)).all()
    shown, following = paging.cut(found, PAGE, lambda user: user.id)
    return Page(_with_times(session, shown), following)


def fetch(session: Session, actor: Actor, user_id: int) -> Account:
    """One account. Raises Forbidden for all but the admin, NotFound."""
    _only_admin(actor)
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    return _with_times(session, [user])[0]


def looked_after(session: Session, actor: Actor, user_id: int) -> Sequence[Patient]:
    """The patients a user looks after, by name. Raises Forbidden."""
    _only_admin(actor)
    query = select(Patient).join(Guardian, Guardian.patient_id == Patient.id).where(Guardian.user_id == user_id)
    return session.scalars(query.order_by(Patient.name, Patient.id).limit(50)).all()


def department(session: Session, user_id: int) -> str:
    """Where the doctor behind a user works; empty for everyone else."""
    return session.scalar(select(Doctor.department).where(Doctor.user_id == user_id)) or ""


def invite(session: Session, actor: Actor, user_id: int) -> tuple[User, str, datetime]:
    """A new link for a user to choose a password by: the user, its token, and until when it works.

    Only for accounts that no one has used: anyone who holds the link reads what its user reads, so they are told, and
    so are the owners of the records. The admin invites everyone, reception patients. Raises NotFound (for reception
    also staff), Forbidden, and Conflict.
    """
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can invite people."))
    user = session.get(User, user_id, with_for_update=True)
    if user is None or (actor.role != Role.ADMIN and user.role != Role.PATIENT):
        raise NotFound
    if user.disabled_at is not None:
        raise Conflict(_("This account is closed. An administrator can reopen it."))
    if user.is_in_use:
        raise Conflict(
            _(
                "This account is already in use, so only its owner can choose a new password, with a link from the"
                " sign-in page. If e-mail no longer reaches them, ask an administrator to close this account, then add"
                " a new one."
            )
        )
    token = users.invite(session, user)
    _tell_of_slip(session, actor, user)
    return user, token, clock.now() + timedelta(days=users.INVITE_DAYS)


def disable(session: Session, actor: Actor, user_id: int) -> None:
    """Close an account: its sessions, links and tokens end now. Raises Forbidden, NotFound, and Conflict for one's own
    account and for the last admin's.
    """
    user = _to_change(session, actor, user_id)
    if user.disabled_at is not None:
        return
    if user.id == actor.user_id:
        raise Conflict(_("You can't close your own account."))
    if user.role == Role.ADMIN and not _other_admin(session, user.id):
        raise Conflict(_("This is the only administrator. Add another one first."))
    user.disabled_at = clock.now()
    sessions.end_all(session, user.id)
    user_tokens.revoke(session, user.id)
    api_tokens.revoke_all(session, user.id)
    audit.record(session, actor, "user.disable", subject=f"user/{user.id}")


def enable(session: Session, actor: Actor, user_id: int) -> None:
    """Open a closed account again. Raises Forbidden, NotFound."""
    user = _to_change(session, actor, user_id)
    if user.disabled_at is not None:
        user.disabled_at = None
        audit.record(session, actor, "user.enable", subject=f"user/{user.id}")


def change_role(session: Session, actor: Actor, user_id: int, role: str) -> None:
    """Give someone who works here another role; they sign in again, and their tokens end.

    Who becomes a doctor gets a calendar. Raises Forbidden, NotFound, and Conflict for one's own account, the last
    admin's, and accounts of patients.
    """
    user = _to_change(session, actor, user_id)
    if role == user.role:
        return
    if user.role not in STAFF_ROLES or role not in STAFF_ROLES:
        raise Conflict(_("A patient's account can't become a staff account. Add a new user instead."))
    if user.id == actor.user_id:
        raise Conflict(_("You can't change your own role."))
    if user.role == Role.ADMIN and not _other_admin(session, user.id):
        raise Conflict(_("This is the only administrator. Add another one first."))
    before, user.role = user.role, Role(role)
    if role == Role.DOCTOR:
        _give_calendar(session, user)
    sessions.end_all(session, user.id)
    api_tokens.revoke_all(session, user.id)
    audit.record(session, actor, "user.role", subject=f"user/{user.id}", changes={"role": [before, role]})


def end_sessions(session: Session, actor: Actor, user_id: int) -> None:
    """Sign someone out everywhere. Raises Forbidden, NotFound."""
    user = _to_change(session, actor, user_id)
    sessions.end_all(session, user.id)
    audit.record(session, actor, "session.end_all", subject=f"user/{user.id}")


def open_sessions(session: Session, actor: Actor, user_id: int) -> Sequence[SignIn]:
    """Where someone is signed in now. Raises Forbidden."""
    _only_admin(actor)
    return sessions.of_user(session, user_id)


def reset_second_factor(session: Session, actor: Actor, user_id: int) -> None:
    """Take the second factor off someone's account. Raises Forbidden, NotFound, and Conflict for one's own."""
    user = _to_change(session, actor, user_id)
    if user.id == actor.user_id:
        raise Conflict(_("To turn off your own second factor, go to your account page."))
    second_factors.reset(session, actor, user)


def _tell_of_slip(session: Session, actor: Actor, user: User) -> None:
    """Put a slip on record and tell anyone who may be surprised by it."""
    own = session.scalars(select(Guardian.patient_id).where(Guardian.user_id == user.id)).all()
    for patient_id in own:
        audit.record(session, actor, "user.invite", patient_id=patient_id, subject=f"user/{user.id}")
        record_owners.tell(session, "slip_printed", patient_id, event="user.invite", also=user.email)
    if not own:
        audit.record(session, actor, "user.invite", subject=f"user/{user.id}")
        outbox.to_user(session, "slip_printed", user, event="user.invite")


def _give_calendar(session: Session, user: User) -> None:
    """The doctor behind a user: made, or taken back from the archive."""
    doctor = session.scalar(select(Doctor).where(Doctor.user_id == user.id))
    if doctor is None:
        session.add(Doctor(user_id=user.id, name=user.name, created_at=clock.now()))
    else:
        doctor.archived_at = None


def _to_change(session: Session, actor: Actor, user_id: int) -> User:
    _only_admin(actor)
    # Two admins who close each other's account at once take turns on PostgreSQL too.
    session.execute(select(User.id).where(User.role == Role.ADMIN).order_by(User.id).with_for_update())
    user = session.get(User, user_id, with_for_update=True)
    if user is None:
        raise NotFound
    return user


def _other_admin(session: Session, user_id: int) -> bool:
    others = select(User.id).where(User.role == Role.ADMIN, User.id != user_id, User.disabled_at.is_(None))
    return session.scalar(others.limit(1)) is not None


def _with_times(session: Session, found: Sequence[User]) -> list[Account]:
    ids = [user.id for user in found]
    signed_in = select(SignIn.user_id, func.max(SignIn.created_at).label("at")).where(SignIn.user_id.in_(ids))
    usable = UserToken.user_id.in_(ids), UserToken.used_at.is_(None), UserToken.expires_at > clock.now()
    links = (
        select(UserToken.user_id, func.max(UserToken.expires_at).label("at")).where(*usable).group_by(UserToken.user_id)
    )
    last = {row.user_id: row.at for row in session.execute(signed_in.group_by(SignIn.user_id))}
    until = {row.user_id: row.at for row in session.execute(links)}
    return [Account(user, last.get(user.id), until.get(user.id)) for user in found]


def _only_admin(actor: Actor) -> None:
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only administrators can manage accounts."))
