"""Write the audit log: every action calls record(), and entries are chained and written at the commit."""

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
"""Columns whose changes add nothing to the entry."""

Changes = Mapping[str, Sequence[Any]]
"""What an action changed, by column, as JSON values: `{"phone": [before, after]}`."""

WAITING = "audit entries"
"""The key under which a session keeps entries until its commit."""


@dataclass(frozen=True)
class Waiting:
    """An entry waiting for the commit, its details, and the savepoint it belongs to."""

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
    """Record an action in its own transaction. The entry is written when that commits.

    `act` is a dotted verb such as `treatment.record`. `subject` identifies the row, such as `export/ab12`, and never
    contains a name or a clinical text. `changes` may (see changes_of()), because an erasure empties it.
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
    """Return the differences between columns before and after."""
    return {
        name: [_plain(before.get(name)), _plain(value)] for name, value in after.items() if before.get(name) != value
    }


def changes_of(row: Base) -> Changes:
    """Return the changes of a row before it's flushed."""
    found = {}
    for attribute in inspect(row).attrs:
        history = attribute.history
        if attribute.key not in UNTOLD and history.has_changes() and not isinstance(attribute.value, Base):
            before = history.deleted[0] if history.deleted else None
            found[attribute.key] = [_plain(before), _plain(attribute.value)]
    return found


def what_goes(row: Base) -> Changes:
    """Return the values of a row that will be deleted: `{"note": [before, None], …}`."""
    held = {column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs}
    return changed(held, dict.fromkeys(held))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    """Write waiting entries at the end of the transaction, because it locks the head of the chain.

    This way, processes take turns only during a commit, and wait for nothing else while they hold the lock.
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
    """Drop the entries of a rolled-back transaction or savepoint."""
    kept = [one for one in session.info.pop(WAITING, []) if gone.nested and one.savepoint is not gone]
    if kept:
        session.info[WAITING] = kept
