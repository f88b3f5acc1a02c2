"""The one lease under which job runs, exports and messages are worked on: claim, own, renew, release.

A claim is a single compare-and-set, so two processes never hold the same row. `lease_until` is never NULL: once it has
passed without being renewed, the owner is taken for dead and another process may claim the row.
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
"""Rows are changed by conditions; objects of the session are not looked through."""


@dataclass(frozen=True)
class Leases:
    """The leases of a table."""

    table: type[JobRun] | type[Export] | type[Message]
    attempts: InstrumentedAttribute[int]
    """The column that counts how often a row was claimed."""
    held: tuple[str, ...]
    """The statuses of rows under a lease; a claim sets the first of them."""

    def claim(
        self, session: Session, which: ColumnElement[bool], owner: str, length: timedelta, *columns: Any, **values: Any
    ) -> Row[Any] | None:
        """Claim the row that `which` selects for a lease; returns its `columns`, or None when it selects none."""
        counted = {self.attempts.key: self.attempts + 1}
        statement = (
            update(self.table)
            .where(which)
            .values(status=self.held[0], owner=owner, lease_until=clock.now() + length, **counted, **values)
            .returning(*columns)
        )
        return session.execute(statement, execution_options=_NO_OBJECTS).one_or_none()

    def first(self, candidates: Collection[Select[Any]]) -> ColumnElement[bool]:
        """Select for a claim the first row of the first query that finds one no one else is about to claim.

        PostgreSQL skips rows another claim has locked; SQLite has one writer at a time anyway.
        """
        firsts = [query.limit(1).with_for_update(skip_locked=True).scalar_subquery() for query in candidates]
        return self.table.id == func.coalesce(*firsts)

    def own(self, row_id: int | str, owner: str) -> ColumnElement[bool]:
        """Whether a row is the owner's, in whichever status."""
        return and_(self.table.id == row_id, self.table.owner == owner)

    def dead(self, status: str, now: datetime) -> ColumnElement[bool]:
        """Whether a row of a held status has lost its owner: no one has renewed the lease."""
        return and_(self.table.status == status, self.table.lease_until < now)

    def renew(self, session: Session, mine: ColumnElement[bool], length: timedelta, **values: Any) -> bool:
        """Keep a row for another lease; False when it is no longer ours."""
        statement = (
            update(self.table).where(mine).values(lease_until=clock.now() + length, **values).returning(self.table.id)
        )
        return session.execute(statement, execution_options=_NO_OBJECTS).one_or_none() is not None

    def release(self, session: Session, owner_prefix: str) -> None:
        """At the start of a process: what dead ones of its kind held is free at once, before the leases end."""
        dead = and_(self.table.status.in_(self.held), self.table.owner.startswith(owner_prefix, autoescape=True))
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(self.table).where(dead).values(lease_until=past), execution_options=_NO_OBJECTS)
