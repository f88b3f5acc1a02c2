"""`serve` with booking replaced by a bare insert: `python -m bench.twins.booking_service serve --config FILE`.

Sign-in, form token, form and answer stay as they are; only the rules of booking are gone.
"""

from typing import Any

from sqlalchemy.orm import Session

from service import cli, clock
from service.domain.appointments import booking
from service.domain.foundation.actor import Actor
from service.storage.models import Failure


def insert(session: Session, actor: Actor, **_wish: Any) -> Failure:
    """One row, committed by the caller like a booking."""
    row = Failure(key=f"bench:{actor.user_id}", failed_at=clock.now())
    session.add(row)
    session.flush()
    return row


if __name__ == "__main__":
    vars(booking)["book"] = insert
    cli.main()
