"""The one lease: whatever it is for, one process at a time has a row, and a dead one's is free again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import and_, or_, select

from service import clock
from service.domain.exports import export_ledger
from service.domain.foundation import job_runs
from service.domain.foundation.leases import Leases
from service.domain.messages import deliveries
from service.storage.models import Channel, Export, JobRun, Message, RunTrigger
from tests.crowd import together
from tests.house import House, at

NOW = at("2026-05-04 06:00")
LENGTH = timedelta(seconds=60)


def run() -> JobRun:
    slot = {"job": "make_backup", "slot": "2026-05-04", "trigger": RunTrigger.SCHEDULE, "due_at": NOW}
    return JobRun(**slot, lease_until=NOW, created_at=NOW)


def export() -> Export:
    return Export(id="0" * 32, format="zip", lease_until=NOW, created_at=NOW)


def message() -> Message:
    told = {"rule": "test_message", "channel": Channel.EMAIL, "recipient": "a@mail.example", "due_at": NOW}
    return Message(**told, lease_until=NOW, created_at=NOW)


LEDGERS: dict[str, tuple[Leases, Callable[[], JobRun | Export | Message]]] = {
    "runs": (job_runs.LEASES, run),
    "exports": (export_ledger.LEASES, export),
    "messages": (deliveries.LEASES, message),
}


@dataclass
class Row:
    """A row that no one works on yet."""

    house: House
    leases: Leases
    id: int | str
    waits: str
    """Its status until it is claimed."""

    def claim(self, owner: str) -> bool:
        """As a process does that finds it waiting, or with a dead lease."""
        status, table = self.leases.held[0], self.leases.table
        with self.house.writing() as session:
            which = and_(table.id == self.id, or_(table.status == self.waits, self.leases.dead(status, clock.now())))
            return self.leases.claim(session, which, owner, LENGTH, table.id) is not None

    def renew(self, owner: str) -> bool:
        """As its owner does."""
        with self.house.writing() as session:
            return self.leases.renew(session, self.leases.own(self.id, owner), LENGTH)

    @property
    def attempts(self) -> int:
        """How often it was claimed."""
        with self.house.reading() as session:
            return session.execute(select(self.leases.attempts)).scalar_one()


@pytest.fixture(params=LEDGERS)
def row(request: pytest.FixtureRequest, house: House, clock: time_machine.Traveller) -> Row:
    """A row of each table that is worked on under a lease."""
    leases, made = LEDGERS[request.param]
    with house.writing() as session:
        found = made()
        session.add(found)
        session.flush()
        return Row(house, leases, found.id, found.status)


def test_one_of_many_who_want_it_at_once_gets_it(row: Row) -> None:
    assert together(8, lambda number: row.claim(f"serve-{number}")).count(True) == 1
    assert row.attempts == 1


def test_a_lease_that_nobody_renews_is_dead_after_its_time(row: Row, clock: time_machine.Traveller) -> None:
    assert row.claim("one")
    clock.shift(LENGTH)
    assert not row.claim("two")
    clock.shift(1)
    assert row.claim("two")
    assert row.attempts == 2
    assert not row.renew("one")
    assert row.renew("two")


def test_a_renewed_lease_counts_from_now(row: Row, clock: time_machine.Traveller) -> None:
    assert row.claim("one")
    clock.shift(50)
    assert row.renew("one")
    clock.shift(59)
    assert not row.claim("two")


def test_at_a_start_only_what_dead_processes_of_the_kind_held_is_free(row: Row) -> None:
    assert row.claim("serve-dead")
    for kind, is_free in (("worker-", False), ("serve_", False), ("serve-", True)):
        with row.house.writing() as session:
            row.leases.release(session, kind)
        assert row.claim("serve-new") == is_free


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_two_claims_at_once_take_the_first_two_of_a_row(house: House, clock: time_machine.Traveller) -> None:
    with house.writing() as session:
        session.add_all([message(), message()])
    leases, waiting = deliveries.LEASES, select(Message.id).where(Message.status == "queued").order_by(Message.id)
    with house.writing() as one, house.writing() as two:
        first, second, third = (
            leases.claim(session, leases.first([waiting]), owner, LENGTH, Message.id)
            for session, owner in ((one, "one"), (two, "two"), (two, "two"))
        )
    assert first is not None
    assert second is not None
    assert third is None
    assert first.id < second.id
