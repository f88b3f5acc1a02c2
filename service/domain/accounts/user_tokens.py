"""Mailed links that identify a user: stored as hashes, single use, short-lived."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import tokens
from service.domain.foundation.errors import Conflict
from service.language.translation import gettext as _
from service.storage.models import TokenPurpose, User, UserToken

LASTING = {
    TokenPurpose.INVITE: timedelta(days=7),
    TokenPurpose.PASSWORD_RESET: timedelta(hours=1),
    TokenPurpose.SIGN_IN: timedelta(minutes=15),
    TokenPurpose.EMAIL: timedelta(hours=24),
    TokenPurpose.REGISTRATION: timedelta(hours=24),
}
"""How long a link of each purpose works."""


def issue(
    session: Session,
    user_id: int,
    purpose: TokenPurpose,
    *,
    email: str | None = None,
    asked_at: datetime | None = None,
) -> str:
    """A one-use token for a user. Only its hash is stored.

    A mailed one is bound to the address it goes to and to the moment it was asked for: when the user's address or
    password changes after that, it is worthless.
    """
    token, now = secrets.token_urlsafe(32), clock.now()
    session.add(
        UserToken(
            user_id=user_id,
            purpose=purpose,
            email=email,
            token_hash=tokens.digest(token),
            created_at=asked_at or now,
            expires_at=now + LASTING[purpose],
        )
    )
    return token


def user_of(session: Session, token: str, purpose: TokenPurpose) -> User | None:
    """Whom a usable link is for; None once it was used or is too old, or when the account is closed."""
    found = _usable(session, token, purpose)
    return None if found is None else session.get_one(User, found.user_id)


def use_up(session: Session, token: str, purpose: TokenPurpose) -> User:
    """The user a link is for; from now on it is used. One that came by mail proves the address it was mailed to.

    Raises Conflict for a dead one.
    """
    found = _usable(session, token, purpose, lock=True)
    if found is None:
        raise Conflict(_("This link has already been used or has expired."))
    found.used_at = clock.now()
    user = session.get_one(User, found.user_id)
    if found.email is not None:
        user.unproven_since = None
    return user


def revoke(session: Session, user_id: int) -> None:
    """Make all links of a user worthless, those that wait to be mailed included."""
    now = clock.now()
    unused = (UserToken.user_id == user_id, UserToken.used_at.is_(None), UserToken.expires_at > now)
    session.execute(update(UserToken).where(*unused).values(expires_at=now))
    user = session.get_one(User, user_id)
    user.links_count_from, user.new_email, user.new_email_of = now, None, None


def is_still_meant(user: User, purpose: TokenPurpose, email: str | None, asked_at: datetime) -> bool:
    """Whether a link still counts, be it mailed already or waiting: its address and the state it was asked for stand.

    `email` is where it is mailed to, None for a link that was handed over.
    """
    address = user.new_email if purpose == TokenPurpose.EMAIL else user.email
    is_theirs = email is None or email == address
    return is_theirs and (user.links_count_from is None or asked_at >= user.links_count_from)


def _usable(session: Session, token: str, purpose: TokenPurpose, *, lock: bool = False) -> UserToken | None:
    query = (
        select(UserToken)
        .join(User, User.id == UserToken.user_id)
        .where(
            UserToken.token_hash == tokens.digest(token),
            UserToken.purpose == purpose,
            UserToken.used_at.is_(None),
            UserToken.expires_at > clock.now(),
            User.disabled_at.is_(None),
        )
    )
    found = session.scalar(query.with_for_update(of=UserToken) if lock else query)
    if found is None:
        return None
    user = session.get_one(User, found.user_id)
    return found if is_still_meant(user, purpose, found.email, found.created_at) else None
