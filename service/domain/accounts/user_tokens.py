"""Links that stand for a user: only their hash is stored, they work once, and not for long."""

import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.accounts import sessions
from service.domain.foundation.errors import Conflict
from service.language.translation import gettext as _
from service.storage.models import TokenPurpose, User, UserToken

LASTING = {
    TokenPurpose.INVITE: timedelta(days=7),
    TokenPurpose.PASSWORD_RESET: timedelta(hours=1),
    TokenPurpose.SIGN_IN: timedelta(minutes=15),
}
"""How long a link of each purpose works."""


def issue(session: Session, user_id: int, purpose: TokenPurpose) -> str:
    """A one-use token for a user. Only its hash is stored."""
    token, now = secrets.token_urlsafe(32), clock.now()
    session.add(
        UserToken(
            user_id=user_id,
            purpose=purpose,
            token_hash=sessions.digest(token),
            created_at=now,
            expires_at=now + LASTING[purpose],
        )
    )
    return token


def user_of(session: Session, token: str, purpose: TokenPurpose) -> User | None:
    """Whom a usable link is for; None once it was used or is too old, or when the account is closed."""
    found = _usable(session, token, purpose)
    return None if found is None else session.get_one(User, found.user_id)


def use_up(session: Session, token: str, purpose: TokenPurpose) -> User:
    """The user a link is for; from now on it is used. Raises Conflict for a dead one."""
    found = _usable(session, token, purpose, lock=True)
    if found is None:
        raise Conflict(_("This link was used already or is too old."))
    found.used_at = clock.now()
    return session.get_one(User, found.user_id)


def revoke(session: Session, user_id: int) -> None:
    """Make all links of a user worthless."""
    unused = (UserToken.user_id == user_id, UserToken.used_at.is_(None), UserToken.expires_at > clock.now())
    session.execute(update(UserToken).where(*unused).values(expires_at=clock.now()))


def _usable(session: Session, token: str, purpose: TokenPurpose, *, lock: bool = False) -> UserToken | None:
    query = (
        select(UserToken)
        .join(User, User.id == UserToken.user_id)
        .where(
            UserToken.token_hash == sessions.digest(token),
            UserToken.purpose == purpose,
            UserToken.used_at.is_(None),
            UserToken.expires_at > clock.now(),
            User.disabled_at.is_(None),
        )
    )
    return session.scalar(query.with_for_update(of=UserToken) if lock else query)
