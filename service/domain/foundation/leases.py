"""Leases for job runs, exports, and messages: claim, own, renew, and release.

A claim is a single compare-and-set, so two processes never hold the same row. `lease_until` is never NULL. When it has
passed without being renewed, the owner counts as dead, and another process may claim the row.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from service import clock
from service.storage.models import Export, JobRun, Message

_NO_OBJECTS = {"synchronize_session": False}
"""Update rows by condition, without matching the session's objects."""


@dataclass(frozen=True)
class Leases:
    """The leases of a table."""

    table: type[JobRun] | type[Export] | type[Message]
    attempts: InstrumentedAttribute[int]
    """The column that counts claims of a row."""
    held: tuple[str, ...]
    """The statuses of rows under a lease. A claim sets the first one."""

    def claim(
        self, session: Session, which: ColumnElement[bool], owner: str, length: timedelta, *columns: Any, **values: Any
    ) -> Row[Any] | None:
        """Claim the row that `which` selects, and return its `columns`; None if it selects no row."""
        counted = {self.attempts.key: self.attempts + 1}
        statement = (
            update(self.table)
            .where(which)
            .values(status=self.held[0], owner=owner, lease_until=clock.now() + length, **counted, **values)
            .returning(*columns)
        )
        return session.execute(statement, execution_options=_NO_OBJECTS).one_or_none()

    def first(self, candidates: Collection[Select[Any]]) -> ColumnElement[bool]:
        """Select the first row of the first query that has one which nobody else is claiming.

        PostgreSQL skips rows that another claim has locked. SQLite has only one writer at a time.
        """
        firsts = [query.limit(1).with_for_update(skip_locked=True).scalar_subquery() for query in candidates]
        return self.table.id == func.coalesce(*firsts)

    def own(self, row_id: int | str, owner: str) -> ColumnElement[bool]:
        """Return the condition that a row is the owner's, in any held status."""
        return and_(self.table.id == row_id, self.table.owner == owner)

    def dead(self, status: str, now: datetime) -> ColumnElement[bool]:
        """Return the condition that a row with a held status has an expired lease."""
        return and_(self.table.status == status, self.table.lease_until < now)

    def renew(self, session: Session, mine: ColumnElement[bool], length: timedelta, **values: Any) -> bool:
        """Extend the claim by another lease. Returns False if it's no longer ours."""
        statement = (
            update(self.table).where(mine).values(lease_until=clock.now() + length, **values).returning(self.table.id)
        )
        return session.execute(statement, execution_options=_NO_OBJECTS).one_or_none() is not None

    def release(self, session: Session, owner_prefix: str) -> None:
        """Release the rows claimed by earlier processes of this kind. Call it when a process starts."""
        dead = and_(self.table.status.in_(self.held), self.table.owner.startswith(owner_prefix, autoescape=True))
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(self.table).where(dead).values(lease_until=past), execution_options=_NO_OBJECTS)
