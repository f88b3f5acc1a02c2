"""Access to records that staff granted, for the administrator to review; emergency access has its own list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import NotFound
from service.storage.models import AuditEntry, Doctor, Patient, User

GIVES_ACCESS = ("guardian.add", "guardian.remove", "user.invite", "cover.add")
"""Acts by which someone comes to see records; the end of it shows whether it was given for a moment only."""
SEEN = "access.seen"
SHOWN_FOR = timedelta(days=30)
MOST = 50


@dataclass(frozen=True)
class Grant:
    """One act: when, by whom, to whose record, and the account it let in or the doctor whose patients it opened."""

    id: int
    at: datetime
    act: str
    person: str | None
    patient_id: int | None
    patient: str | None
    whom: str | None
    """None where the account is gone."""


def unseen(session: Session, actor: Actor) -> Sequence[Grant]:
    """The first that no admin has looked at, of the last month, latest of them first; nothing for others."""
    if actor.role != Role.ADMIN:
        return []
    query = (
        select(AuditEntry, User.name, Patient.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Patient, Patient.id == AuditEntry.patient_id)
        .where(*_unseen(session))
        .order_by(AuditEntry.id)
        .limit(MOST)
    )
    rows = session.execute(query).all()[::-1]
    names = _names(session, {entry.subject for entry, _person, _patient in rows if entry.subject})
    return [
        Grant(entry.id, entry.at, entry.act, person, entry.patient_id, patient, names.get(entry.subject or ""))
        for entry, person, patient in rows
    ]


def count_unseen(session: Session) -> int:
    """How many no admin has looked at yet."""
    return session.scalar(select(func.count()).select_from(AuditEntry).where(*_unseen(session))) or 0


def mark_seen(session: Session, actor: Actor, until: int) -> None:
    """An admin has looked at all up to an entry of the audit. Raises NotFound for others, and for no such entry."""
    entry = session.get(AuditEntry, until) if actor.role == Role.ADMIN else None
    if entry is None or entry.act not in GIVES_ACCESS:
        raise NotFound
    if until > _seen_until(session):
        audit.record(session, actor, SEEN, subject=f"audit/{until}")


def _unseen(session: Session) -> tuple[ColumnElement[bool], ...]:
    lately = AuditEntry.at >= clock.now() - SHOWN_FOR
    return (AuditEntry.act.in_(GIVES_ACCESS), AuditEntry.id > _seen_until(session), lately)


def _seen_until(session: Session) -> int:
    last = select(AuditEntry.subject).where(AuditEntry.act == SEEN).order_by(AuditEntry.id.desc()).limit(1)
    return int((session.scalar(last) or "audit/0").partition("/")[2])


def _names(session: Session, subjects: Collection[str]) -> dict[str, str]:
    """The addresses of accounts and the names of doctors among the subjects of entries."""
    ids: dict[str, list[int]] = {"user": [], "doctor": []}
    for subject in subjects:
        kind, _slash, number = subject.partition("/")
        ids[kind].append(int(number))
    users = session.execute(select(User.id, User.email).where(User.id.in_(ids["user"])))
    doctors = session.execute(select(Doctor.id, Doctor.name).where(Doctor.id.in_(ids["doctor"])))
    return {f"user/{row.id}": row.email for row in users} | {f"doctor/{row.id}": row.name for row in doctors}
