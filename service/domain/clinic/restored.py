"""What a restored database must not continue: old messages, old sessions, exports whose files are gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Update, delete, or_, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM
from service.storage.models import (
    ApiToken,
    Export,
    ExportStatus,
    IdempotencyKey,
    KnownBrowser,
    Message,
    MessageStatus,
    SignIn,
    SkipReason,
)

FILE_GONE = "restored from a backup: start it again"


@dataclass(frozen=True)
class Settled:
    """How many messages will not be sent any more, and how many still wait for a later day."""

    left: int
    waiting: int


def settle(session: Session, zone: ZoneInfo, made_at: datetime) -> Settled:
    """Close what may have happened already between the backup and now.

    A message that waited is left out as `too_late`, unless its appointment is on a later day than today; one that was
    being handed over is `unknown`. Everyone signs in again and makes new tokens; exports are to be started again.
    """
    _start, tomorrow = clock.day_bounds(clock.today(zone), zone)
    session.execute(
        update(Message).where(Message.status == MessageStatus.HANDING_OVER).values(status=MessageStatus.UNKNOWN)
    )
    waiting = Message.status.in_((MessageStatus.QUEUED, MessageStatus.SENDING))
    past = or_(Message.due_at <= clock.now(), Message.starts_at.is_(None), Message.starts_at < tomorrow)
    too_late = {"status": MessageStatus.SKIPPED, "skip_reason": SkipReason.TOO_LATE}
    left = _ids(session, update(Message).where(waiting, past).values(too_late))
    kept = _ids(session, update(Message).where(waiting).values(status=MessageStatus.QUEUED, owner=None))
    lost = {"status": ExportStatus.FAILED, "last_error": FILE_GONE}
    session.execute(update(Export).where(Export.is_unfinished).values(**lost))
    finished = Export.status == ExportStatus.AVAILABLE
    session.execute(update(Export).where(finished).values(status=ExportStatus.EXPIRED))
    session.execute(delete(SignIn))
    session.execute(delete(KnownBrowser))  # one that was forgotten since would be known again
    session.execute(delete(IdempotencyKey))
    session.execute(delete(ApiToken))  # one that was revoked since would work again
    audit.record(session, SYSTEM, "backup.restore", subject=f"backup/{made_at:%Y-%m-%dT%H:%M:%SZ}")
    return Settled(len(left), len(kept))


def in_doubt(session: Session, scope: ColumnElement[bool]) -> None:
    """No one knows whether these reminders went out after the backup was made: the desk decides."""
    session.execute(
        update(Message).where(scope, Message.status == MessageStatus.QUEUED).values(status=MessageStatus.UNKNOWN)
    )


def _ids(session: Session, statement: Update) -> Sequence[int]:
    statement = statement.returning(Message.id).execution_options(synchronize_session=False)
    return session.scalars(statement).all()
