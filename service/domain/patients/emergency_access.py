"""Emergency access: a doctor opens a record of somebody else's patient and says why; the admin is told."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from service import clock
from service.domain.foundation import audit, locks, texts, throttle
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden, Invalid, NotFound
from service.domain.foundation.throttle import Act
from service.domain.patients import patients, record_owners
from service.language.translation import gettext as _
from service.storage.models import EmergencyAccess, Patient
from service.storage.search_keys import normalized_name, search_key

LONGEST_REASON = 500
SHORTEST_REASON = 10
MOST = 50
MOST_FOUND = 5


def open_records(
    session: Session, actor: Actor, *, name: str, birth_date: date, reason: str, hours: int
) -> Sequence[Patient]:
    """Let a doctor see, for some hours, the records that bear this name and this birth date, or no birth date.

    An accent that was left out opens a record only where nobody bears exactly the name that was typed.
    Returns them, own patients' too: several where a person is here twice, none where nobody fits (on record too).
    Raises Forbidden, Invalid for too little of a reason, and Throttled.
    """
    if actor.role != Role.DOCTOR or actor.doctor_id is None:
        raise Forbidden(_("Only doctors open a record in an emergency."))
    why = texts.checked(reason, "reason", LONGEST_REASON)
    if len(why) < SHORTEST_REASON:
        raise Invalid(_("Say in a few words why you need this record now."), "reason")
    throttle.attempt(session, Act.EMERGENCY, account=actor.user_id)
    folded = search_key(name)
    born = or_(Patient.birth_date == birth_date, Patient.birth_date.is_(None))
    same = (Patient.folded_name == folded, born, Patient.merged_into_id.is_(None), Patient.erased_at.is_(None))
    locks.patients_of(session, select(Patient.id).where(*same).order_by(Patient.id).limit(MOST_FOUND))
    found = session.scalars(select(Patient).where(*same).order_by(Patient.id).limit(MOST_FOUND)).all() if folded else []
    found = [one for one in found if normalized_name(one.name) == normalized_name(name)] or found
    now = clock.now()
    mine = set(session.scalars(select(Patient.id).where(*same, patients.visible(actor))))
    for patient in found:
        if patient.id in mine:
            continue
        access = EmergencyAccess(
            doctor_id=actor.doctor_id,
            patient_id=patient.id,
            reason=why,
            created_at=now,
            expires_at=now + timedelta(hours=hours),
        )
        session.add(access)
        session.flush()
        audit.record(session, actor, "emergency.open", patient_id=patient.id, subject=f"emergency/{access.id}")
        record_owners.tell(session, "emergency_access", patient.id, event="emergency.open")
    if not found:
        audit.record(session, actor, "emergency.refused")
    return found


def current(session: Session, actor: Actor) -> Sequence[EmergencyAccess]:
    """The records that are open to a doctor in an emergency now, with their patients; the latest first."""
    if actor.doctor_id is None:
        return []
    mine = _with_people().where(EmergencyAccess.doctor_id == actor.doctor_id)
    return _latest(session, mine.where(EmergencyAccess.expires_at > clock.now()))


def unseen(session: Session, actor: Actor) -> Sequence[EmergencyAccess]:
    """What no admin has looked at yet, with doctors and patients; nothing for others."""
    if actor.role != Role.ADMIN:
        return []
    return _latest(session, _with_people().where(EmergencyAccess.seen_at.is_(None)))


def count_unseen(session: Session) -> int:
    """How many no admin has looked at yet."""
    waiting = select(func.count()).select_from(EmergencyAccess).where(EmergencyAccess.seen_at.is_(None))
    return session.scalar(waiting) or 0


def mark_seen(session: Session, actor: Actor, access_id: int) -> None:
    """An admin has looked at it. Raises NotFound, also for others."""
    row = session.get(EmergencyAccess, access_id) if actor.role == Role.ADMIN else None
    if row is None:
        raise NotFound
    if row.seen_at is None:
        row.seen_at, row.seen_by_id = clock.now(), actor.user_id
        audit.record(session, actor, "emergency.seen", patient_id=row.patient_id, subject=f"emergency/{access_id}")


def _with_people() -> Select[EmergencyAccess]:
    return (
        select(EmergencyAccess)
        .join(EmergencyAccess.doctor)
        .join(EmergencyAccess.patient)
        .options(contains_eager(EmergencyAccess.doctor), contains_eager(EmergencyAccess.patient))
    )


def _latest(session: Session, query: Select[EmergencyAccess]) -> Sequence[EmergencyAccess]:
    return session.scalars(query.order_by(EmergencyAccess.id.desc()).limit(MOST)).all()
