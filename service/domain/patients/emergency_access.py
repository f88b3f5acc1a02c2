"""Emergency access: a doctor opens another doctor's patient's record for a reason that administrators review."""

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
    """Give a doctor access for some hours to the records with this name and with this birth date or none.

    A name without its accents matches only if no patient has exactly the name that was typed.
    Return the records, including the doctor's own patients: several for a person with two records, none if no one
    matches. Both are recorded in the audit. Raises Forbidden, Invalid for a reason that is too short, and Throttled.
    """
    if actor.role != Role.DOCTOR or actor.doctor_id is None:
        raise Forbidden(_("Only doctors can use emergency access."))
    why = texts.checked(reason, "reason", LONGEST_REASON)
    if len(why) < SHORTEST_REASON:
        raise Invalid(_("Explain in a few words why you need this record now."), "reason")
    throttle.attempt(session, Act.EMERGENCY, account=actor.user_id)
    key = search_key(name)
    born = or_(Patient.birth_date == birth_date, Patient.birth_date.is_(None))
    same = (Patient.folded_name == key, born, Patient.merged_into_id.is_(None), Patient.erased_at.is_(None))
    locks.patients_of(session, select(Patient.id).where(*same).order_by(Patient.id).limit(MOST_FOUND))
    found = session.scalars(select(Patient).where(*same).order_by(Patient.id).limit(MOST_FOUND)).all() if key else []
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
    """Return a doctor's current emergency accesses with their patients, latest first."""
    if actor.doctor_id is None:
        return []
    mine = _with_people().where(EmergencyAccess.doctor_id == actor.doctor_id)
    return _latest(session, mine.where(EmergencyAccess.expires_at > clock.now()))


def unseen(session: Session, actor: Actor) -> Sequence[EmergencyAccess]:
    """Return what no administrator has reviewed yet, with doctors and patients; nothing for other roles."""
    if actor.role != Role.ADMIN:
        return []
    return _latest(session, _with_people().where(EmergencyAccess.seen_at.is_(None)))


def count_unseen(session: Session) -> int:
    """Return how many accesses no administrator has reviewed yet."""
    waiting = select(func.count()).select_from(EmergencyAccess).where(EmergencyAccess.seen_at.is_(None))
    return session.scalar(waiting) or 0


def mark_seen(session: Session, actor: Actor, access_id: int) -> None:
    """Mark an access as reviewed. Raises NotFound, also for other roles."""
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
