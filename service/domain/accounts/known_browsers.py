"""Browsers a user has signed in with: guessing from elsewhere doesn't lock the user out there."""

from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import tokens
from service.storage.models import KnownBrowser

LASTS = timedelta(days=180)
MOST = 20
"""Of one user; then the one that was used longest ago is forgotten."""


def of(session: Session, user_id: int, shown: str) -> int | None:
    """The id of the browser that shows a token, if this user has signed in with it; None otherwise."""
    theirs = (KnownBrowser.user_id == user_id, KnownBrowser.token_hash == tokens.digest(shown))
    return session.scalar(select(KnownBrowser.id).where(*theirs, KnownBrowser.expires_at > clock.now()))


def remember(session: Session, user_id: int, shown: str) -> str:
    """Know a browser as the user's for the next 180 days; returns the token that it shows from now on.

    `shown` is the one it has, if any: a copy of that is worthless now. Others who signed in with this browser keep it.
    """
    token, until = tokens.new(), clock.now() + LASTS
    before, after = tokens.digest(shown), tokens.digest(token)
    session.execute(update(KnownBrowser).where(KnownBrowser.token_hash == before).values(token_hash=after))
    theirs = (KnownBrowser.user_id == user_id, KnownBrowser.token_hash == after)
    renewed = session.execute(update(KnownBrowser).where(*theirs).values(expires_at=until).returning(KnownBrowser.id))
    if renewed.first() is None:
        session.add(KnownBrowser(user_id=user_id, token_hash=after, expires_at=until))
        session.flush()
        latest = select(KnownBrowser.id).where(KnownBrowser.user_id == user_id)
        latest = latest.order_by(KnownBrowser.expires_at.desc(), KnownBrowser.id.desc()).limit(MOST)
        kept = session.scalars(latest).all()
        session.execute(delete(KnownBrowser).where(KnownBrowser.user_id == user_id, KnownBrowser.id.not_in(kept)))
    return token


def forget(session: Session, user_id: int, *, but: str = "") -> None:
    """Know none of a user's browsers any more, except the one that shows a token."""
    others = KnownBrowser.token_hash != tokens.digest(but)
    session.execute(delete(KnownBrowser).where(KnownBrowser.user_id == user_id, others))


def prune(session: Session) -> None:
    """Remove browsers that were not used for half a year."""
    session.execute(delete(KnownBrowser).where(KnownBrowser.expires_at < clock.now()))
