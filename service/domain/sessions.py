"""Sign-in sessions: rows with a hashed token, an idle and an absolute limit, ended on the server."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, Update, delete, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain import audit, throttle
from service.domain.actor import Actor, Role
from service.models import Doctor, Guardian, SignIn, User, UserToken

FAILURES_PER_ACCOUNT = 5
FAILURES_PER_ADDRESS = 50
TOUCH_AFTER = timedelta(seconds=30)


def digest(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token of 256 random bits."""
    return secrets.token_urlsafe(32)


def stored_password(session: Session, email: str, address: str) -> tuple[int | None, str | None]:
    """The user id and password hash behind an e-mail, counted as a failed try until begin() says otherwise.

    Both are None for an unknown or disabled account. Raises Throttled.
    """
    folded = email.strip().casefold().replace("\0", " ")  # no account has a blank, PostgreSQL takes no NUL
    throttle.attempt(session, {_account_key(folded): FAILURES_PER_ACCOUNT, f"address:{address}": FAILURES_PER_ADDRESS})
    row = session.execute(
        select(User.id, User.password_hash).where(User.email == folded, User.disabled_at.is_(None))
    ).one_or_none()
    return (row.id, row.password_hash) if row else (None, None)


def begin(session: Session, user_id: int, address: str, hours: int, *, replaces: str) -> str:
    """Open a session for a user who has proven who they are; returns the new token. The old token dies."""
    user = session.get_one(User, user_id)
    throttle.succeeded(session, _account_key(user.email), f"address:{address}")
    token, now = new_token(), clock.now()
    session.execute(_ending(SignIn.token_hash == digest(replaces)))
    session.add(
        SignIn(
            user_id=user_id,
            token_hash=digest(token),
            address=address,
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(hours=hours),
        )
    )
    audit.record(session, Actor(Role(user.role), user_id=user_id, address=address), "session.begin")
    return token


def failed(session: Session, user_id: int | None, address: str) -> None:
    """Put a refused sign-in on record."""
    audit.record(session, Actor(Role.SYSTEM, user_id=user_id, address=address), "session.refused")


def find(session: Session, token: str, idle_minutes: int, address: str) -> tuple[Actor | None, bool]:
    """Who holds this token, and whether the session should be touched; (None, False) once it has ended."""
    now = clock.now()
    row = session.execute(
        select(User.id, User.name, User.role, Doctor.id.label("doctor_id"), SignIn.last_seen_at)
        .join(User, User.id == SignIn.user_id)
        .outerjoin(Doctor, (Doctor.user_id == User.id) & Doctor.archived_at.is_(None))
        .where(
            SignIn.token_hash == digest(token),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > now,
            SignIn.last_seen_at > now - timedelta(minutes=idle_minutes),
            User.disabled_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        return None, False
    patients: frozenset[int] = frozenset()
    if row.role == Role.PATIENT:
        patients = frozenset(session.scalars(select(Guardian.patient_id).where(Guardian.user_id == row.id)))
    actor = Actor(Role(row.role), row.name, row.id, row.doctor_id, patients, address)
    return actor, row.last_seen_at < now - TOUCH_AFTER


def touch(session: Session, token: str) -> None:
    """Note that the session was used just now."""
    session.execute(update(SignIn).where(SignIn.token_hash == digest(token)).values(last_seen_at=clock.now()))


def end(session: Session, actor: Actor, token: str) -> None:
    """Sign out: the token is worthless from now on."""
    session.execute(_ending(SignIn.token_hash == digest(token)))
    audit.record(session, actor, "session.end")


def end_all(session: Session, user_id: int) -> None:
    """End every session of a user."""
    session.execute(_ending(SignIn.user_id == user_id))


def prune(session: Session) -> None:
    """Remove sessions and links that have been over for a month."""
    long_ago = clock.now() - timedelta(days=30)
    session.execute(delete(SignIn).where(SignIn.expires_at < long_ago))
    session.execute(delete(UserToken).where(UserToken.expires_at < long_ago))


def _ending(which: ColumnElement[bool]) -> Update:
    return update(SignIn).where(which, SignIn.ended_at.is_(None)).values(ended_at=clock.now())


def _account_key(folded_email: str) -> str:
    return f"account:{digest(folded_email)}"
