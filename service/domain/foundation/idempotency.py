"""The same request twice is one act: what was done under a caller's key, and its answer, kept for a day."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _
from service.storage.models import IdempotencyKey

KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Kept:
    """An answer that was given: its status, what was made, and its body as it was sent."""

    status: int
    location: str | None
    body: str


def find(session: Session, token_id: int, key: str, request_hash: str) -> Kept | None:
    """The answer this request had already under its key; None the first time.

    From here to the commit no one else gets further with the key. Raises Invalid where the key stood for another
    request.
    """
    if session.get_bind().dialect.name == "postgresql":  # on SQLite the transaction itself sees to that
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"key:{token_id}:{key}", 0))))
    mine = IdempotencyKey.token_id == token_id, IdempotencyKey.key == key
    row = session.scalar(select(IdempotencyKey).where(*mine))
    if row is None:
        return None
    if row.created_at <= clock.now() - KEPT_FOR:
        session.delete(row)
        session.flush()
        return None
    if row.request_hash != request_hash:
        raise Invalid(
            _("This Idempotency-Key was already used for a different request. Use a new key."), "Idempotency-Key"
        )
    return Kept(row.status, row.location, row.body)


def keep(session: Session, token_id: int, key: str, request_hash: str, answer: Kept) -> None:
    """Keep what was answered, in the transaction of the act itself."""
    session.add(
        IdempotencyKey(
            token_id=token_id,
            key=key,
            request_hash=request_hash,
            status=answer.status,
            location=answer.location,
            body=answer.body,
            created_at=clock.now(),
        )
    )


def prune(session: Session) -> None:
    """Remove answers whose day is over."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= clock.now() - KEPT_FOR))
