"""Exports of a patient's history: request, claim, produce, settle; the row is its own ledger.

States: pending -> running -> available -> expired, or failed. A file is whole or not there: it is written as
NAME.part, flushed to the disk, renamed, and only then does the row say available.
"""

import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.domain import audit, history_csv, outbox, patients
from service.domain.actor import SYSTEM, Actor
from service.domain.errors import Conflict, Gone, NotFound
from service.models import Appointment, Export, Treatment, User
from service.translation import gettext as _

_id = re.compile(r"[0-9a-f]{32}").fullmatch
LEASE = timedelta(seconds=30)
SAME_PRESS = timedelta(seconds=10)
"""Within it another press means the same export, unless the history has changed."""
ATTEMPTS = 2
"""An export that a stop cuts off starts again once; the second time it has failed."""


def request(session: Session, actor: Actor, patient_id: int) -> Export:
    """The patient's unfinished export, or the one just finished with nothing new since, or a new pending one.

    So many clicks make one file. Raises NotFound for a patient who is not the actor's.
    """
    patient = patients.fetch_clinical(session, actor, patient_id)
    present = _unfinished(session, patient.id) or _just_made(session, patient.id)
    if present is not None:
        return present
    now = clock.now()
    export = Export(
        id=secrets.token_hex(16),
        patient_id=patient.id,
        requested_by_id=actor.user_id,
        lease_until=now,
        created_at=now,
    )
    try:
        with session.begin_nested():
            session.add(export)
    except IntegrityError:  # two presses at the same moment on PostgreSQL: the other one won
        rival = _unfinished(session, patient.id) or _just_made(session, patient.id)
        if rival is None:
            raise Conflict(_("This export was asked for twice at once: please press again.")) from None
        return rival
    audit.record(session, actor, "export.request", patient_id=patient.id, subject=f"export/{export.id}")
    return export


def fetch(session: Session, actor: Actor, export_id: str) -> Export:
    """The export's row. Raises NotFound when missing or not about a patient of the actor."""
    export = session.get(Export, export_id) if _id(export_id) else None  # PostgreSQL takes no NUL in a text
    if export is None:
        raise NotFound
    patients.fetch_clinical(session, actor, export.patient_id)
    return export


def state(export: Export) -> str:
    """The export's status as of now: it expires at its time, even before the clean-up has passed."""
    if export.status == "available" and export.expires_at is not None and export.expires_at <= clock.now():
        return "expired"
    return export.status


def download(session: Session, actor: Actor, export_id: str, folder: Path) -> tuple[Path, datetime]:
    """The finished file and when it was made. Raises NotFound, Conflict (not ready), Gone (expired)."""
    export = fetch(session, actor, export_id)
    if state(export) == "expired":
        raise Gone(_("This export has expired and its file was removed. You can make a new one at any time."))
    if export.status != "available":
        raise Conflict(_("This export is not ready yet."))
    return file_of(folder, export.id), export.finished_at or export.created_at


def note_download(session: Session, actor: Actor, export_id: str) -> None:
    """Put a download on record."""
    export = fetch(session, actor, export_id)
    audit.record(session, actor, "export.download", patient_id=export.patient_id, subject=f"export/{export.id}")


def latest(session: Session, actor: Actor, patient_id: int) -> Sequence[Export]:
    """The patient's last three exports."""
    patients.fetch_clinical(session, actor, patient_id)
    query = select(Export).where(Export.patient_id == patient_id).order_by(Export.created_at.desc()).limit(3)
    return session.scalars(query).all()


def claimable(session: Session) -> Sequence[str]:
    """Ids of exports nobody works at: pending ones, and running ones whose worker is gone; oldest first."""
    query = select(Export.id).where(_free(clock.now())).order_by(Export.created_at).limit(100)
    return session.scalars(query).all()


def unfinished(session: Session) -> tuple[int, bool]:
    """How many exports are pending or running, and whether one of them has been left alone for five minutes."""
    query = select(func.count(), func.min(Export.lease_until)).where(Export.status.in_(("pending", "running")))
    number, oldest = session.execute(query).one()
    return number, oldest is not None and oldest < clock.now() - timedelta(minutes=5)


def claim(session: Session, export_id: str, owner: str) -> int | None:
    """Take an export to write it; returns its patient's id, or None when somebody else has it or it has failed."""
    now = clock.now()
    tired = (Export.status == "running") & (Export.lease_until < now) & (Export.attempts >= ATTEMPTS)
    row = session.execute(
        update(Export)
        .where(Export.id == export_id, _free(now), ~tired)
        .values(
            status="running",
            owner=owner,
            lease_until=now + LEASE,
            attempts=Export.attempts + 1,
            rows_done=0,
            rows_total=0,
        )
        .returning(Export.patient_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        failed = {"status": "failed", "finished_at": now, "last_error": "interrupted twice"}
        session.execute(update(Export).where(Export.id == export_id, tired).values(**failed))
    return row.patient_id if row else None


def note_progress(session: Session, export_id: str, owner: str, rows: int, total: int) -> bool:
    """Say how many rows of how many are written and keep the claim; False when the export is no longer ours."""
    kept = session.execute(
        update(Export)
        .where(*_mine(export_id, owner))
        .values(rows_done=rows, rows_total=total, lease_until=clock.now() + LEASE)
        .returning(Export.id)
    )
    return kept.one_or_none() is not None


def produce(
    session: Session, patient_id: int, file: Path, zone: ZoneInfo, progress: Callable[[int], None] = lambda rows: None
) -> int:
    """Write the patient's history to `file`, whole or not at all, from one consistent state; returns the rows."""
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="", buffering=1 << 18) as target:
            rows = history_csv.write(session, patient_id, zone, target, progress)
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return rows


def remove_parts(file: Path) -> None:
    """Remove what an earlier attempt at this file left when it was killed; for the holder of the claim."""
    for part in file.parent.glob(f"{file.name}.*.part"):
        part.unlink(missing_ok=True)


def produce_for(session: Session, actor: Actor, patient_id: int, file: Path, zone: ZoneInfo) -> int:
    """Write a patient's history to a file of the caller's choice. Raises NotFound for an unknown patient."""
    _known(session, actor, patient_id)
    return produce(session, patient_id, file, zone)


def note_written(session: Session, actor: Actor, patient_id: int) -> None:
    """Put on record that a history is written outside the service's own folder. Raises NotFound."""
    _known(session, actor, patient_id)
    audit.record(session, actor, "export.write", patient_id=patient_id)


def _known(session: Session, actor: Actor, patient_id: int) -> None:
    try:
        patients.fetch_clinical(session, actor, patient_id)
    except NotFound:
        raise NotFound(_("There is no patient %(id)s.") % {"id": patient_id}) from None


def settle(session: Session, export_id: str, owner: str, rows: int, keep_hours: int) -> bool:
    """Say that the file is whole and ready; False when the export is no longer ours."""
    now = clock.now()
    row = session.execute(
        update(Export)
        .where(*_mine(export_id, owner))
        .values(
            status="available",
            rows_done=rows,
            rows_total=rows,
            finished_at=now,
            expires_at=now + timedelta(hours=keep_hours),
            last_error=None,
        )
        .returning(Export.patient_id, Export.requested_by_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is not None:
        if row.requested_by_id is not None:
            user = session.get_one(User, row.requested_by_id)
            outbox.to_user(session, "export_ready", user, event="export.available", about=f"export/{export_id}")
        audit.record(session, SYSTEM, "export.available", patient_id=row.patient_id, subject=f"export/{export_id}")
    return row is not None


def put_back(session: Session, export_id: str, owner: str) -> None:
    """Return an export that a stop cut off: pending again the first time, failed the second."""
    now = clock.now()
    mine = _mine(export_id, owner)
    session.execute(
        update(Export).where(*mine, Export.attempts < ATTEMPTS).values(status="pending", owner=None, lease_until=now)
    )
    fail(session, export_id, owner, "interrupted twice")


def fail(session: Session, export_id: str, owner: str, why: str) -> None:
    """Say that the export cannot be made; the person may start it again."""
    values = {"status": "failed", "finished_at": clock.now(), "last_error": why}
    session.execute(update(Export).where(*_mine(export_id, owner)).values(**values))


def expire(session: Session) -> Sequence[str]:
    """Mark finished exports whose time is over as expired; returns their ids, whose files may go now."""
    now = clock.now()
    return session.scalars(
        update(Export)
        .where(Export.status == "available", Export.expires_at <= now)
        .values(status="expired")
        .returning(Export.id)
    ).all()


def has_claim_on_file(session: Session, name: str) -> bool:
    """Whether a file in the folder belongs to a row: a finished one, or one that somebody is writing now."""
    export = session.get(Export, name.split(".")[0])
    if export is None:
        return False
    if export.status in ("pending", "running"):
        return True  # whoever writes it next removes what a dead writer left
    return export.status == "available" and not name.endswith(".part")


def was_given_up(session: Session, export_id: str) -> bool:
    """Whether the export has failed, so that nobody writes its file any more."""
    export = session.get(Export, export_id)
    return export is not None and export.status == "failed"


def file_of(folder: Path, export_id: str) -> Path:
    """Where an export's finished file lies; the id comes from a row, never from a request."""
    return folder / f"{export_id}.csv"


def release(session: Session, owner_prefix: str) -> None:
    """At start: claims held by dead processes of our kind are free at once instead of when their lease ends."""
    stale = Export.owner.startswith(owner_prefix, autoescape=True)
    past = clock.now() - timedelta(seconds=1)
    session.execute(update(Export).where(Export.status == "running", stale).values(lease_until=past))


def _unfinished(session: Session, patient_id: int) -> Export | None:
    unfinished = Export.status.in_(("pending", "running"))
    return session.scalar(select(Export).where(Export.patient_id == patient_id, unfinished))


def _just_made(session: Session, patient_id: int) -> Export | None:
    """An export of the last few seconds whose history has not changed since."""
    export = session.scalar(
        select(Export)
        .where(Export.patient_id == patient_id, Export.status == "available")
        .where(Export.created_at > clock.now() - SAME_PRESS, Export.expires_at > clock.now())
        .order_by(Export.created_at.desc())
        .limit(1)
    )
    if export is None:
        return None
    changed = exists().where(
        Treatment.appointment_id == Appointment.id,
        Appointment.patient_id == patient_id,
        Treatment.updated_at >= export.created_at,
    )
    return None if session.scalar(select(changed)) else export


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(Export.status == "pending", (Export.status == "running") & (Export.lease_until < now))


def _mine(export_id: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    return Export.id == export_id, Export.owner == owner, Export.status == "running"
