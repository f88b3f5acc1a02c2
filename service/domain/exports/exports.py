"""Exports as people use them: request, follow, cancel, download, and remove one."""

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.domain.exports.export_formats import OF_THE_CLINIC, ONE_TABLE, Contents
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Gone, NotFound, Throttled
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, Export, ExportStatus, Message, Treatment

_id = re.compile(r"[0-9a-f]{32}").fullmatch
SAME_PRESS = timedelta(seconds=10)
"""Another click within this time returns the same export, unless the history has changed."""
MOST_WAITING = 100
RETRY_AFTER = 60
GUESS_AFTER = timedelta(seconds=2)
"""Before this, the time left can't be estimated."""


def request(
    session: Session,
    actor: Actor,
    patient_id: int,
    contents: Contents = ONE_TABLE,
    *,
    most_waiting: int = MOST_WAITING,
) -> Export:
    """Return the patient's unfinished export, or the one just finished with nothing new since, or a new one.

    This way, many clicks create one file. Raises NotFound for a patient the actor can't see, Invalid for an impossible
    combination, Conflict for a merged record, and Throttled if too many exports are waiting.
    """
    locks.patients(session, patient_id)
    patient = patients.fetch_clinical(session, actor, patient_id)
    patients.refuse_merged(patient)
    contents.check()
    return _requested(session, actor, patient.id, contents, most_waiting)


def request_of_clinic(session: Session, actor: Actor) -> Export:
    """Do the same for the whole clinic. Raises NotFound unless the actor is an administrator."""
    if actor.role != Role.ADMIN:
        raise NotFound
    return _requested(session, actor, None, OF_THE_CLINIC, MOST_WAITING)


def _requested(session: Session, actor: Actor, patient_id: int | None, contents: Contents, most_waiting: int) -> Export:
    present = _present(session, patient_id, contents)
    if present is not None:
        return present
    waiting = session.scalar(select(func.count()).select_from(Export).where(Export.is_unfinished)) or 0
    if waiting >= most_waiting:
        raise Throttled(_("Too many exports are being made right now. Try again in a minute."), RETRY_AFTER)
    now = clock.now()
    export = Export(
        id=secrets.token_hex(16),
        patient_id=patient_id,
        requested_by_id=actor.user_id,
        format=contents.format,
        with_visits=contents.visits,
        with_messages=contents.messages,
        lease_until=now,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(export)
    except IntegrityError:  # two simultaneous clicks on PostgreSQL: the other one won
        rival = _present(session, patient_id, contents)
        if rival is None:
            raise Conflict(_("This export was requested twice at the same moment. Try again.")) from None
        return rival
    audit.record(session, actor, "export.request", patient_id=patient_id, subject=f"export/{export.id}")
    return export


def fetch(session: Session, actor: Actor, export_id: str) -> Export:
    """Return an export. Raises NotFound if it doesn't exist or the actor can't see it."""
    export = session.get(Export, export_id) if _id(export_id) else None  # PostgreSQL accepts no NUL in text
    if export is None:
        raise NotFound
    if export.patient_id is not None:
        patients.fetch_clinical(session, actor, export.patient_id)
    elif actor.role != Role.ADMIN:
        raise NotFound
    return export


def state(export: Export) -> ExportStatus:
    """Return the current status: an export expires on time, even before the next clean-up."""
    if export.status == ExportStatus.AVAILABLE and export.expires_at is not None and export.expires_at <= clock.now():
        return ExportStatus.EXPIRED
    return export.status


def seconds_left(export: Export) -> int | None:
    """Estimate the seconds left of a running export; None if that's not possible yet."""
    is_under_way = export.status == ExportStatus.RUNNING and 0 < export.rows_done < export.rows_total
    if not is_under_way or export.started_at is None:
        return None
    took = clock.now() - export.started_at
    if took < GUESS_AFTER:
        return None
    return max(1, round(took.total_seconds() * (export.rows_total - export.rows_done) / export.rows_done))


def ahead(session: Session, export: Export) -> int:
    """Return how many unfinished exports were requested before a pending one."""
    if export.status != ExportStatus.PENDING:
        return 0
    before = or_(
        Export.created_at < export.created_at, and_(Export.created_at == export.created_at, Export.id < export.id)
    )
    return session.scalar(select(func.count()).select_from(Export).where(Export.is_unfinished, before)) or 0


def cancel(session: Session, actor: Actor, export_id: str) -> None:
    """Cancel an unfinished export; its writer stops at the next checkpoint. Repeating this does nothing.

    Raises NotFound, and Conflict if it has ended.
    """
    export = fetch(session, actor, export_id)
    if export.status == ExportStatus.CANCELLED:
        return
    values = {"status": ExportStatus.CANCELLED, "finished_at": clock.now()}
    if not _changed(session, export, Export.is_unfinished, values):
        raise Conflict(_("This export has already finished, so there is nothing to stop."))
    audit.record(session, actor, "export.cancel", patient_id=export.patient_id, subject=f"export/{export.id}")


def revoke(session: Session, actor: Actor, export_id: str) -> Export:
    """Remove a finished export before it expires: its link stops working. Repeating this does nothing.

    Raises NotFound, and Conflict if it isn't finished. The caller removes the file after the commit.
    """
    export = fetch(session, actor, export_id)
    if state(export) == ExportStatus.EXPIRED:
        return export
    now = clock.now()
    values = {"status": ExportStatus.EXPIRED, "expires_at": now, "revoked_at": now}
    if not _changed(session, export, Export.status == ExportStatus.AVAILABLE, values):
        raise Conflict(_("This export is not ready yet."))
    audit.record(session, actor, "export.revoke", patient_id=export.patient_id, subject=f"export/{export.id}")
    return export


def _changed(session: Session, export: Export, condition: SQLColumnExpression[bool], values: dict[str, object]) -> bool:
    """Change the row if it still meets the condition, because a worker may change it at the same moment."""
    change = update(Export).where(Export.id == export.id, condition).values(**values).returning(Export.id)
    return session.execute(change.execution_options(synchronize_session=False)).one_or_none() is not None


def download(session: Session, actor: Actor, export_id: str) -> Export:
    """Return an export whose file can be downloaded. Raises NotFound, Conflict (not ready), Gone (expired)."""
    export = fetch(session, actor, export_id)
    match state(export):
        case ExportStatus.AVAILABLE:
            return export
        case ExportStatus.EXPIRED:
            raise Gone(_("This export has expired and its file was removed. You can make a new one at any time."))
        case ExportStatus.PENDING | ExportStatus.RUNNING | ExportStatus.FAILED | ExportStatus.CANCELLED:
            raise Conflict(_("This export is not ready yet."))
        case never:
            assert_never(never)


def note_download(session: Session, actor: Actor, export_id: str, *, from_start: bool = True) -> None:
    """Record a download in the audit log. Resuming an interrupted one isn't counted again."""
    export = fetch(session, actor, export_id)
    if from_start:
        change = {"downloads": Export.downloads + 1, "downloaded_at": clock.now()}
        session.execute(update(Export).where(Export.id == export_id).values(**change))
    audit.record(session, actor, "export.download", patient_id=export.patient_id, subject=f"export/{export_id}")


def latest(session: Session, actor: Actor, patient_id: int | None) -> Sequence[Export]:
    """Return the last three exports of a patient, or of the whole clinic (None)."""
    if patient_id is not None:
        patients.fetch_clinical(session, actor, patient_id)
    elif actor.role != Role.ADMIN:
        raise NotFound
    query = select(Export).where(_about(patient_id)).order_by(Export.created_at.desc()).limit(3)
    return session.scalars(query).all()


def _present(session: Session, patient_id: int | None, contents: Contents) -> Export | None:
    """Return the export that a click leads to instead of creating a new one."""
    under_way = session.scalar(select(Export).where(_about(patient_id), Export.is_unfinished))
    return under_way or _just_made(session, patient_id, contents)


def _just_made(session: Session, patient_id: int | None, contents: Contents) -> Export | None:
    """Return a recent export with the same contents, if nothing has changed since."""
    export = session.scalar(
        select(Export)
        .where(_about(patient_id), Export.status == ExportStatus.AVAILABLE, Export.format == contents.format)
        .where(Export.with_visits == contents.visits, Export.with_messages == contents.messages)
        .where(Export.created_at > clock.now() - SAME_PRESS, Export.expires_at > clock.now())
        .order_by(Export.created_at.desc())
        .limit(1)
    )
    if export is None or patient_id is None:
        return export
    since, visit, message = export.created_at, Appointment, Message
    changes = [
        exists().where(
            Treatment.appointment_id == visit.id, visit.patient_id == patient_id, Treatment.updated_at >= since
        )
    ]
    if contents.visits:
        times = (visit.created_at, visit.confirmed_at, visit.arrived_at, visit.ended_at, visit.cancelled_at)
        late = or_(*(time >= since for time in (*times, visit.rescheduled_at)))
        changes.append(exists().where(visit.patient_id == patient_id, late))
    if contents.messages:
        late = or_(message.created_at >= since, message.sent_at >= since)
        changes.append(exists().where(message.patient_id == patient_id, late))
    return None if session.scalar(select(or_(*changes))) else export


def _about(patient_id: int | None) -> ColumnElement[bool]:
    return Export.patient_id.is_(None) if patient_id is None else Export.patient_id == patient_id
