"""Idempotency keys: a repeated request gets the stored response and does nothing. Responses are kept for a day."""

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
    """A stored response: its status, the location of the new row, and the body."""

    status: int
    location: str | None
    body: str


def find(session: Session, token_id: int, key: str, request_hash: str) -> Kept | None:
    """Return the stored response to this request with this key; None the first time.

    It locks the key until the commit. Raises Invalid if the key was used for a different request.
    """
    if session.get_bind().dialect.name == "postgresql":  # on SQLite, the transaction does this
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
    """Store the response in the transaction of the action itself."""
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
    """Remove expired responses."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= clock.now() - KEPT_FOR))
