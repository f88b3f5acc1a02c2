"""`serve` with booking replaced by a bare insert: `python -m bench.booking_service serve --config FILE`.

Sign-in, form token, form and answer stay as they are; only the rules of booking are gone.
"""

from typing import Any

from sqlalchemy.orm import Session

from service import cli, clock
from service.domain import booking
from service.domain.actor import Actor
from service.models import AuditEntry


def insert(session: Session, actor: Actor, **_wish: Any) -> AuditEntry:
    """One row, committed by the caller like a booking."""
    row = AuditEntry(at=clock.now(), user_id=actor.user_id, role=actor.role, act="bench.insert")
    session.add(row)
    session.flush()
    return row


if __name__ == "__main__":
    vars(booking)["book"] = insert
    cli.main()
