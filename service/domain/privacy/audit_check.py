"""Whether the audit is as it was written: every entry is sealed again and compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from service.domain.foundation import audit_chain
from service.domain.foundation.errors import Conflict
from service.language.translation import gettext as _
from service.storage.models import AuditDetail, AuditEntry, AuditHead

BATCH = 5000
ERASED = ("patient.erase", "user.erase")
COLUMNS = (*(getattr(AuditEntry, name) for name in audit_chain.SEALED), AuditEntry.seal)


class Altered(Conflict):
    """The audit is not what was written; the text names the first entry that shows it."""


@dataclass(frozen=True)
class Whole:
    """What a check found right; anyone who noted an earlier `seal` finds it in this chain."""

    entries: int
    last_id: int
    seal: str
    emptied: int
    """Details that an erasure emptied."""


def verify(session: Session) -> Whole:
    """Check the whole chain, in constant memory. Raises Altered for the first entry that does not fit."""
    count, last, seal = 0, 0, audit_chain.FIRST
    emptied: list[Row[Any]] = []
    erased: set[int | str | None] = set()
    for entry, detail in _walk(session):
        if audit_chain.seal(seal, entry._asdict()) != entry.seal:
            raise Altered(_altered(entry, last))
        count, last, seal = count + 1, entry.id, entry.seal
        if entry.act in ERASED:
            erased.add(entry.patient_id or entry.subject)
        if entry.digest is None and detail is None:
            continue
        if entry.digest is None or detail is None:
            raise Altered(_("Entry %(id)s: its details were added or removed.") % {"id": entry.id})
        if detail.changes is None and detail.salt is None:
            emptied.append(entry)
        elif audit_chain.digest(detail.salt or "", detail.changes or {}) != entry.digest:
            raise Altered(_("Entry %(id)s: its details were altered.") % {"id": entry.id})
    for entry in emptied:
        if not erased & {entry.patient_id, entry.subject} - {None}:
            raise Altered(_("Entry %(id)s: its details were emptied, but no one was erased.") % {"id": entry.id})
    head = session.scalar(select(AuditHead))
    if head is None:
        raise Altered(_("The record of where the audit log ends was removed. The entries themselves are intact."))
    if head.last_id != last:
        raise Altered(
            _("Entry %(id)s is the last one found, but entry %(last)s was written later. Entries are missing.")
            % {"id": last, "last": head.last_id}
        )
    if head.seal != seal:
        raise Altered(_("Entry %(id)s is the end of a different log than the one Rounds wrote.") % {"id": last})
    return Whole(count, last, seal, len(emptied))


def _walk(session: Session) -> Iterator[tuple[Row[Any], AuditDetail | None]]:
    last = 0
    while True:
        rows = session.execute(select(*COLUMNS).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(BATCH)).all()
        if not rows:
            return
        between = AuditDetail.entry_id.between(rows[0].id, rows[-1].id)
        details = {detail.entry_id: detail for detail in session.scalars(select(AuditDetail).where(between))}
        for row in rows:
            yield row, details.get(row.id)
        last = rows[-1].id
        session.expunge_all()


def _altered(entry: Row[Any], last: int) -> str:
    words = _("Entry %(id)s of %(at)s UTC was altered, or no longer follows entry %(last)s.")
    return words % {"id": entry.id, "at": f"{entry.at:%Y-%m-%d %H:%M}", "last": last}
