"""The record of who did what to whose data: one function, called by every act; entries are sealed at the commit."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, insert, inspect, select, update
from sqlalchemy.orm import Session, SessionTransaction

from service import clock
from service.domain.foundation import audit_chain
from service.domain.foundation.actor import Actor
from service.storage.models import AuditDetail, AuditEntry, AuditHead, Base

UNTOLD = frozenset({"version", "folded_name", "email_key", "email_form", "updated_at", "recorded_by_id"})
"""Columns whose changes tell nothing that the entry does not."""

Changes = Mapping[str, Sequence[Any]]
"""What an act changed, column by column: `{"phone": [before, after]}`, in words that JSON knows."""

WAITING = "audit entries"
"""Where a session keeps what is to be written at its commit."""


@dataclass(frozen=True)
class Waiting:
    """An entry on its way, its details, and the savepoint it goes down with."""

    entry: dict[str, Any]
    changes: Changes | None
    savepoint: SessionTransaction | None


def record(
    session: Session,
    actor: Actor,
    act: str,
    *,
    patient_id: int | None = None,
    subject: str | None = None,
    changes: Changes | None = None,
) -> None:
    """Note an act in the same transaction as what it did; it is there once that commits.

    `act` is a dotted verb such as `treatment.record`; `subject` names the row, such as `export/ab12`,
    and never holds a name or a clinical text. Those may stand in `changes` (see changes_of()): an erasure empties it.
    """
    entry = {
        "at": clock.now(),
        "user_id": actor.user_id,
        "role": str(actor.role),
        "address": actor.address,
        "act": act,
        "patient_id": patient_id,
        "subject": subject,
    }
    session.info.setdefault(WAITING, []).append(Waiting(entry, changes, session.get_nested_transaction()))


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """What differs between the columns before and after."""
    return {
        name: [_plain(before.get(name)), _plain(value)] for name, value in after.items() if before.get(name) != value
    }


def changes_of(row: Base) -> Changes:
    """What is about to change in a row, before it is flushed."""
    found = {}
    for attribute in inspect(row).attrs:
        history = attribute.history
        if attribute.key not in UNTOLD and history.has_changes() and not isinstance(attribute.value, Base):
            before = history.deleted[0] if history.deleted else None
            found[attribute.key] = [_plain(before), _plain(attribute.value)]
    return found


def what_goes(row: Base) -> Changes:
    """What a row holds that is about to be deleted: `{"note": [before, None], …}`."""
    held = {column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs}
    return changed(held, dict.fromkeys(held))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    """Write what waits, as the last act of the transaction: only then is the head of the chain held by it.

    So two processes take turns for the time of a commit, and no one waits for anything while they hold it.
    """
    if session.in_nested_transaction() or not session.info.get(WAITING):
        return
    waiting: list[Waiting] = session.info.pop(WAITING)
    session.flush()
    number, seal = session.execute(select(AuditHead.last_id, AuditHead.seal).with_for_update()).one()
    entries, details = [], []
    for one in waiting:
        number += 1
        entry = {**one.entry, "id": number, "digest": None}
        if one.changes:
            salt, changes = secrets.token_hex(16), dict(one.changes)
            entry["digest"] = audit_chain.digest(salt, changes)
            details.append({"entry_id": number, "salt": salt, "changes": changes})
        seal = entry["seal"] = audit_chain.seal(seal, entry)
        entries.append(entry)
    session.execute(insert(AuditEntry), entries)
    if details:
        session.execute(insert(AuditDetail), details)
    session.execute(update(AuditHead).values(last_id=number, seal=seal))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, gone: SessionTransaction) -> None:
    """What was rolled back did not happen."""
    kept = [one for one in session.info.pop(WAITING, []) if gone.nested and one.savepoint is not gone]
    if kept:
        session.info[WAITING] = kept
