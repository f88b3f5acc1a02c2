"""The exports table as a ledger: claim, report progress, settle, put back, expire."""

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
"""An export that a stop cuts off starts again once; the second time it has failed."""


@dataclass(frozen=True)
class Claim:
    """What the one who has taken an export is to write."""

    patient_id: int | None
    """None: the whole clinic."""
    contents: Contents


@dataclass(frozen=True)
class Waiting:
    """An export no one works at."""

    id: str
    is_of_clinic: bool


def claimable(session: Session) -> Sequence[Waiting]:
    """Exports no one works at: pending ones, and running ones whose worker is gone; who asked first comes first."""
    query = select(Export.id, Export.patient_id.is_(None)).where(_free(clock.now()))
    rows = session.execute(query.order_by(Export.created_at, Export.id).limit(100))
    return [Waiting(export_id, bool(is_of_clinic)) for export_id, is_of_clinic in rows]


def unfinished(session: Session) -> tuple[int, bool]:
    """How many exports are pending or running, and whether one of them has been left alone for five minutes."""
    query = select(func.count(), func.min(Export.lease_until)).where(Export.is_unfinished)
    number, oldest = session.execute(query).one()
    return number, oldest is not None and oldest < clock.now() - timedelta(minutes=5)


def claim(session: Session, export_id: str, owner: str) -> Claim | None:
    """Take an export to write it; None when someone else has it, it was canceled, or it has failed."""
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
    """Say how many rows of how many are written and keep the claim; False when the export is no longer ours."""
    return LEASES.renew(session, _mine(export_id, owner), LEASE, rows_done=rows, rows_total=total)


def renew(session: Session, export_id: str, owner: str) -> bool:
    """Keep the claim for another lease; False when the export is no longer ours."""
    return LEASES.renew(session, _mine(export_id, owner), LEASE)


def settle(session: Session, export_id: str, owner: str, rows: int, keep_hours: int) -> bool:
    """Say that the file is whole and ready, also to the person who asked for it; False when the export is no longer
    ours.

    One that someone is in who was erased meanwhile is not ready: it is written again.
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
        put_back(session, export_id, owner)  # if it is still ours, someone in it was erased meanwhile
        return False
    if row.requested_by_id is not None:
        user = session.get_one(User, row.requested_by_id)
        outbox.to_user(session, "export_ready", user, event="export.available", about=Subject(Kind.EXPORT, export_id))
    audit.record(session, SYSTEM, "export.available", patient_id=row.patient_id, subject=f"export/{export_id}")
    return True


def put_back(session: Session, export_id: str, owner: str) -> None:
    """Return an export that a stop cut off: pending again the first time, failed the second."""
    now = clock.now()
    mine = _mine(export_id, owner)
    session.execute(
        update(Export)
        .where(mine, Export.attempts < ATTEMPTS)
        .values(status=ExportStatus.PENDING, owner=None, lease_until=now)
    )
    fail(session, export_id, owner, "interrupted twice")


def fail(session: Session, export_id: str, owner: str, why: str) -> None:
    """Say that the export cannot be made; the person may start it again."""
    values = {"status": ExportStatus.FAILED, "finished_at": clock.now(), "last_error": why}
    session.execute(update(Export).where(_mine(export_id, owner)).values(**values))


def expire(session: Session) -> Sequence[str]:
    """Mark finished exports as expired whose time is over, or that were begun before someone in them was erased.

    Returns their ids; the files may go now.
    """
    over = or_(Export.expires_at <= clock.now(), _names_an_erased_one())
    return session.scalars(
        update(Export)
        .where(Export.status == ExportStatus.AVAILABLE, over)
        .values(status=ExportStatus.EXPIRED)
        .returning(Export.id)
    ).all()


def has_claim_on_file(session: Session, name: str) -> bool:
    """Whether a file in the folder belongs to a row: a finished one, or one that someone is writing now."""
    found = export_files.export_of(name)
    export = session.get(Export, found[0]) if found else None
    if found is None or export is None:
        return False
    match export.status:
        case ExportStatus.PENDING | ExportStatus.RUNNING:
            return True  # anyone who writes it next removes what a dead writer left
        case ExportStatus.AVAILABLE:
            return not found[1]
        case ExportStatus.EXPIRED | ExportStatus.FAILED | ExportStatus.CANCELLED:
            return False
        case never:
            assert_never(never)


def given_up(session: Session, export_id: str) -> ExportFormat | None:
    """The format of an export that has failed or was canceled, whose file no one writes any more; else None."""
    export = session.get(Export, export_id)
    if export is None or export.status not in (ExportStatus.FAILED, ExportStatus.CANCELLED):
        return None
    return export.format


def release(session: Session, owner_prefix: str) -> None:
    """At the start of a process: exports that dead ones of its kind held are free at once."""
    LEASES.release(session, owner_prefix)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Export.status == ExportStatus.PENDING, LEASES.dead(ExportStatus.RUNNING, now))


def _names_an_erased_one() -> ColumnElement[bool]:
    """Whether someone in an export was erased after it was begun."""
    named = or_(Export.patient_id.is_(None), Export.patient_id == Patient.id)
    return exists().where(Patient.erased_at > Export.started_at, named)


def _mine(export_id: str, owner: str) -> ColumnElement[bool]:
    return and_(LEASES.own(export_id, owner), Export.status == ExportStatus.RUNNING)
