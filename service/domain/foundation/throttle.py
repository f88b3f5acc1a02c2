"""Slows guessing down: failures counted per key in the database, so that a restart forgets nothing."""

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation.errors import Throttled
from service.language.translation import gettext as _
from service.storage.models import Failure

WINDOW = timedelta(minutes=5)


def attempt(session: Session, limits: dict[str, int]) -> None:
    """Count an attempt as failed under each key before it is made; succeeded() takes it back.

    Raises Throttled when a key already holds its limit of failures within five minutes.
    """
    if session.get_bind().dialect.name == "postgresql":  # tries at the same moment take turns, as on SQLite
        for key in sorted(limits):
            session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))
    now = clock.now()
    for key, limit in limits.items():
        failures, oldest = session.execute(
            select(func.count(), func.min(Failure.failed_at)).where(
                Failure.key == key, Failure.failed_at > now - WINDOW
            )
        ).one()
        if failures >= limit:
            wait = max(1, int((oldest + WINDOW - now).total_seconds()) + 1)
            raise Throttled(_("Too many tries. Please wait a few minutes, then try again."), wait)
    session.add_all(Failure(key=key, failed_at=now) for key in limits)


def succeeded(session: Session, account: str, address: str) -> None:
    """Forget the account's failures and the address's latest one: it was no failure."""
    forget(session, account)
    latest = select(func.max(Failure.id)).where(Failure.key == address).scalar_subquery()
    session.execute(delete(Failure).where(Failure.id == latest))


def forget(session: Session, key: str) -> None:
    """Forget all failures under a key."""
    session.execute(delete(Failure).where(Failure.key == key))


def prune(session: Session) -> None:
    """Remove failures that no longer count."""
    session.execute(delete(Failure).where(Failure.failed_at < clock.now() - WINDOW))
