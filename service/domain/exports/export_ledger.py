"""Exports as work: claim, report progress, finish, put back, and expire."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from service import clock
from service.domain.exports import export_files
from service.domain.exports.export_formats import Contents
from service.domain.foundation import audit
from service.domain.foundation.actor import SYSTEM
from service.domain.foundation.leases import Leases
from service.domain.outbox import outbox
from service.domain.outbox.subjects import Kind, Subject
from service.storage.models import Export, ExportFormat, ExportStatus, Patient, User

LEASE = timedelta(seconds=30)
LEASES = Leases(Export, Export.attempts, held=(ExportStatus.RUNNING,))
ATTEMPTS = 2
"""An export that is interrupted by a stop is started once more. The second time, it has failed."""


@dataclass(frozen=True)
class Claim:
    """What to write for a claimed export."""

    patient_id: int | None
    """None: the whole clinic."""
    contents: Contents


@dataclass(frozen=True)
class Waiting:
    """An export that nobody is working on."""

    id: str
    is_of_clinic: bool


def claimable(session: Session) -> Sequence[Waiting]:
    """Return exports to claim: pending ones, and running ones with an expired lease, in the order of requests."""
    query = select(Export.id, Export.patient_id.is_(None)).where(_free(clock.now()))
    rows = session.execute(query.order_by(Export.created_at, Export.id).limit(100))
    return [Waiting(export_id, bool(is_of_clinic)) for export_id, is_of_clinic in rows]


def unfinished(session: Session) -> tuple[int, bool]:
    """Return how many exports are pending or running, and whether one has been untouched for five minutes."""
    query = select(func.count(), func.min(Export.lease_until)).where(Export.is_unfinished)
    number, oldest = session.execute(query).one()
    return number, oldest is not None and oldest < clock.now() - timedelta(minutes=5)


def claim(session: Session, export_id: str, owner: str) -> Claim | None:
    """Claim an export; None if it's claimed, was canceled, or has failed."""
    now = clock.now()
    free = and_(Export.id == export_id, _free(now))
    row = LEASES.claim(
        session,
        and_(free, Export.attempts < ATTEMPTS),
        owner,
        LEASE,
        *(Export.patient_id, Export.format, Export.with_visits, Export.with_messages),
        started_at=now,
        rows_done=0,
        rows_total=0,
    )
    if row is None:
        failed = {"status": ExportStatus.FAILED, "finished_at": now, "last_error": "interrupted twice"}
        session.execute(update(Export).where(free, Export.attempts >= ATTEMPTS).values(**failed))
        return None
    return Claim(row.patient_id, Contents(row.format, row.with_visits, row.with_messages))


def note_progress(session: Session, export_id: str, owner: str, rows: int, total: int) -> bool:
    """Record progress, and extend the claim. Returns False if the export is no longer ours."""
    return LEASES.renew(session, _mine(export_id, owner), LEASE, rows_done=rows, rows_total=total)


def renew(session: Session, export_id: str, owner: str) -> bool:
    """Extend the claim by another lease. Returns False if the export is no longer ours."""
    return LEASES.renew(session, _mine(export_id, owner), LEASE)


def settle(session: Session, export_id: str, owner: str, rows: int, keep_hours: int) -> bool:
    """Mark the export as available, and notify the person who requested it. Returns False if it's no longer ours.

    If someone in it was erased meanwhile, it's written again instead.
    """
    now = clock.now()
    row = session.execute(
        update(Export)
        .where(_mine(export_id, owner), ~_names_an_erased_one())
        .values(
            status=ExportStatus.AVAILABLE,
            rows_done=rows,
            rows_total=rows,
            finished_at=now,
            expires_at=now + timedelta(hours=keep_hours),
            last_error=None,
        )
        .returning(Export.patient_id, Export.requested_by_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        put_back(session, export_id, owner)  # if it's still ours, someone in it was erased meanwhile
        return False
    if row.requested_by_id is not None:
        user = session.get_one(User, row.requested_by_id)
        outbox.to_user(session, "export_ready", user, event="export.available", about=Subject(Kind.EXPORT, export_id))
    audit.record(session, SYSTEM, "export.available", patient_id=row.patient_id, subject=f"export/{export_id}")
    return True


def put_back(session: Session, export_id: str, owner: str) -> None:
    """Put back an interrupted export: pending again the first time, failed the second."""
    now = clock.now()
    mine = _mine(export_id, owner)
    session.execute(
        update(Export)
        .where(mine, Export.attempts < ATTEMPTS)
        .values(status=ExportStatus.PENDING, owner=None, lease_until=now)
    )
    fail(session, export_id, owner, "interrupted twice")


def fail(session: Session, export_id: str, owner: str, why: str) -> None:
    """Mark the export as failed; it can be started again."""
    values = {"status": ExportStatus.FAILED, "finished_at": clock.now(), "last_error": why}
    session.execute(update(Export).where(_mine(export_id, owner)).values(**values))


def expire(session: Session) -> Sequence[str]:
    """Expire finished exports that are too old, or that were started before someone in them was erased.

    Returns their ids, so that the files can be removed.
    """
    over = or_(Export.expires_at <= clock.now(), _names_an_erased_one())
    return session.scalars(
        update(Export)
        .where(Export.status == ExportStatus.AVAILABLE, over)
        .values(status=ExportStatus.EXPIRED)
        .returning(Export.id)
    ).all()


def has_claim_on_file(session: Session, name: str) -> bool:
    """Return whether a file belongs to a row: it's finished or being written."""
    found = export_files.export_of(name)
    export = session.get(Export, found[0]) if found else None
    if found is None or export is None:
        return False
    match export.status:
        case ExportStatus.PENDING | ExportStatus.RUNNING:
            return True  # the next writer removes what a killed one left
        case ExportStatus.AVAILABLE:
            return not found[1]
        case ExportStatus.EXPIRED | ExportStatus.FAILED | ExportStatus.CANCELLED:
            return False
        case never:
            assert_never(never)


def given_up(session: Session, export_id: str) -> ExportFormat | None:
    """Return the format of a failed or canceled export whose file nobody is writing; else None."""
    export = session.get(Export, export_id)
    if export is None or export.status not in (ExportStatus.FAILED, ExportStatus.CANCELLED):
        return None
    return export.format


def release(session: Session, owner_prefix: str) -> None:
    """Release the exports claimed by earlier processes of this kind. Call it when a process starts."""
    LEASES.release(session, owner_prefix)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Export.status == ExportStatus.PENDING, LEASES.dead(ExportStatus.RUNNING, now))


def _names_an_erased_one() -> ColumnElement[bool]:
    """Return the condition that someone in an export was erased after it was started."""
    named = or_(Export.patient_id.is_(None), Export.patient_id == Patient.id)
    return exists().where(Patient.erased_at > Export.started_at, named)


def _mine(export_id: str, owner: str) -> ColumnElement[bool]:
    return and_(LEASES.own(export_id, owner), Export.status == ExportStatus.RUNNING)
