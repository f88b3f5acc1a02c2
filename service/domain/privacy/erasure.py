"""Erasure: all that tells who a patient was and what was found goes; visits stay as figures under a pseudonym.

What the law or a court needs is looked at first: a legal hold, the years that treatments are kept, open visits.
The audit's entries stay, their before and after texts are emptied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, undefer
from sqlalchemy.orm.attributes import flag_modified

from service import clock
from service.domain.accounts import api_tokens, sessions, user_tokens
from service.domain.foundation import audit, idempotency
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.patients import patient_records
from service.domain.privacy import legal_holds
from service.language import rendering
from service.language.translation import gettext as _
from service.storage.folding import fold
from service.storage.models import (
    Appointment,
    AuditDetail,
    AuditEntry,
    EmergencyAccess,
    Export,
    ExportStatus,
    Guardian,
    LegalHold,
    Message,
    MessageLink,
    Patient,
    RecoveryCode,
    Report,
    ReportVersion,
    SecondFactor,
    SignIn,
    Treatment,
    TreatmentVersion,
    UnsentForm,
    User,
    UserToken,
    WaitingEntry,
)

CLINICAL_KEYS = frozenset(
    {"reason", "visit_type", "symptoms", "diagnosis", "treatment", "prescription", "notes", "cancellation_reason"}
)
"""Texts that a kept report may hold about a patient."""
MOST_DUE = 100


@dataclass(frozen=True)
class Obstacles:
    """Why a record cannot be erased now; nothing where it can."""

    sentences: Sequence[str]


def pseudonym(patient_id: int) -> str:
    """What stands in the place of the name."""
    return _("Erased patient %(id)s") % {"id": patient_id}


def obstacles(session: Session, actor: Actor, patient_id: int, *, years: int, zone: ZoneInfo) -> Obstacles:
    """What stands against an erasure now. Raises NotFound, Forbidden."""
    found = []
    if legal_holds.of_patient(session, actor, patient_id):
        found.append(_("A legal hold stands: lift it first."))
    if session.scalar(select(exists().where(Appointment.patient_id == patient_id, Appointment.is_expected()))):
        found.append(_("Visits are booked ahead: cancel them first."))
    until = kept_until(session, patient_id, years=years, zone=zone)
    if until is not None and until > clock.today(zone):
        found.append(_("Treatments are kept until %(day)s, as the law asks.") % {"day": until.isoformat()})
    theirs = or_(Export.patient_id == patient_id, Export.patient_id.is_(None))  # the whole clinic's has them too
    unfinished = theirs, Export.is_unfinished
    if session.scalar(select(Export.id).where(*unfinished).limit(1)):
        found.append(_("An export is being made: try again in a minute."))
    return Obstacles(found)


def kept_until(session: Session, patient_id: int, *, years: int, zone: ZoneInfo) -> date | None:
    """Until which day the treatments of a patient have to be kept; None where there are none."""
    treated = Appointment.id == Treatment.appointment_id, Appointment.patient_id == patient_id
    last: datetime | None = session.scalar(
        select(func.max(Appointment.starts_at)).join(Treatment, treated[0]).where(treated[1])
    )
    if last is None:
        return None
    day = last.astimezone(zone).date()
    return day.replace(year=day.year + years, day=28 if (day.month, day.day) == (2, 29) else day.day)


def due(session: Session, actor: Actor, *, years: int, zone: ZoneInfo) -> Sequence[Patient]:
    """Records whose last visit, or making, is so many years ago that they may go; oldest first, at most 100."""
    if actor.role != Role.ADMIN:
        return []
    today = clock.today(zone)
    first_of_year = today.replace(year=max(1, today.year - years), month=1, day=1)
    limit = clock.day_bounds(first_of_year, zone)[0]  # whole years: nobody is listed a day too early
    lately = exists().where(Appointment.patient_id == Patient.id, Appointment.starts_at >= limit)
    held = exists().where(LegalHold.patient_id == Patient.id, LegalHold.lifted_at.is_(None))
    over = (Patient.created_at < limit, Patient.erased_at.is_(None), Patient.merged_into_id.is_(None), ~lately, ~held)
    return session.scalars(select(Patient).where(*over).order_by(Patient.id).limit(MOST_DUE)).all()


def erase(session: Session, actor: Actor, patient_id: int, *, years: int, zone: ZoneInfo) -> Sequence[date]:
    """Erase a patient for good; returns the clinic days of their visits. Twice is once.

    The caller removes the files that no row stands for any more. Raises NotFound, Forbidden, and Conflict while
    something stands against it.
    """
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only the admin erases a record."))
    patient = patient_records.to_change(session, actor, patient_id, erased=True)
    if patient.erased_at is not None:
        return []
    against = obstacles(session, actor, patient_id, years=years, zone=zone)
    if against.sentences:
        raise Conflict(" ".join(against.sentences))
    same = or_(Patient.id == patient_id, Patient.merged_into_id == patient_id)
    ids = list(session.scalars(select(Patient.id).where(same).order_by(Patient.id).with_for_update()))
    visits = session.execute(
        select(Appointment.doctor_id, Appointment.starts_at).where(Appointment.patient_id.in_(ids))
    ).all()
    _erase_reports(session, patient_id, ids, {(row.doctor_id, _month(row.starts_at, zone)) for row in visits})
    _erase_texts(session, ids)
    patient_records.close_waiting(session, patient_id)
    accounts = _erase_accounts(session, actor, ids)
    _silence(session, ids, accounts)
    now = clock.now()
    for row in session.scalars(select(Patient).where(Patient.id.in_(ids))):
        row.name = pseudonym(patient_id)
        row.folded_name = fold(row.name)
        row.given_name = row.birth_date = row.email = row.phone = row.registered_at = row.imported_line = None
        row.allergies = row.alerts = ""
        row.erased_at, row.archived_at = now, row.archived_at or now
    _empty_details(session, ids, accounts)
    idempotency.forget(session)
    for number in ids:
        audit.record(session, actor, "patient.erase", patient_id=number)
    return sorted({row.starts_at.astimezone(zone).date() for row in visits})


def _month(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m}"


def _erase_texts(session: Session, ids: Sequence[int]) -> None:
    """Treatments go; what stays of visits and exports are times and states."""
    theirs = select(Appointment.id).where(Appointment.patient_id.in_(ids))
    treatments = select(Treatment.id).where(Treatment.appointment_id.in_(theirs))
    _do(session, delete(TreatmentVersion).where(TreatmentVersion.treatment_id.in_(treatments)))
    _do(session, delete(Treatment).where(Treatment.appointment_id.in_(theirs)))
    nothing: dict[str, Any] = {"reason": "", "cancellation_reason": None, "overbooking_reason": None}
    _do(session, update(Appointment).where(Appointment.patient_id.in_(ids)).values(nothing))
    _do(session, update(WaitingEntry).where(WaitingEntry.patient_id.in_(ids)).values(note=""))
    files = (or_(Export.patient_id.in_(ids), Export.patient_id.is_(None)), Export.status == ExportStatus.AVAILABLE)
    _do(session, update(Export).where(*files).values(status=ExportStatus.EXPIRED, expires_at=clock.now()))
    _do(session, update(EmergencyAccess).where(EmergencyAccess.patient_id.in_(ids)).values(reason=""))
    _do(session, update(LegalHold).where(LegalHold.patient_id.in_(ids)).values(reason=""))


def _silence(session: Session, ids: Sequence[int], accounts: Sequence[int]) -> None:
    """Empty the messages to them, and all that name them: a relative's who shares the address, a morning sheet."""
    names = session.scalars(select(Patient.name).where(Patient.id.in_(ids))).all()
    named = (Message.body.contains(rendering.one_line(name), autoescape=True) for name in names)
    theirs = or_(Message.patient_id.in_(ids), Message.user_id.in_(accounts), *named)
    silent = {"recipient": None, "subject": None, "body": None, "last_error": None}
    _do(session, update(Message).where(theirs).values(silent))
    _do(session, delete(MessageLink).where(MessageLink.patient_id.in_(ids)))


def _erase_reports(session: Session, patient_id: int, ids: Sequence[int], months: set[tuple[int, str]]) -> None:
    """Put the pseudonym into the kept reports of the months with a visit, and take the texts out."""
    doctors = {doctor_id for doctor_id, _month in months}
    kept: list[Report | ReportVersion] = []
    for table in (Report, ReportVersion):
        query = select(table).options(undefer(table.content)).where(table.doctor_id.in_(doctors))
        kept += session.scalars(query)
    for report in kept:
        if (report.doctor_id, report.month) in months and _hide(report.content, pseudonym(patient_id), set(ids)):
            flag_modified(report, "content")


def _hide(part: Any, name: str, ids: set[int]) -> bool:
    """Change whatever is about these patients in a piece of JSON; whether there was any."""
    if isinstance(part, list):
        return sum(_hide(one, name, ids) for one in part) > 0  # every one, not only until the first
    if not isinstance(part, dict):
        return False
    if part.get("patient_id") not in ids:
        return sum(_hide(one, name, ids) for one in part.values()) > 0
    for key in part:
        if key == "patient_name":
            part[key] = name
        elif key in CLINICAL_KEYS:
            part[key] = ""
    return True


def _erase_accounts(session: Session, actor: Actor, ids: Sequence[int]) -> list[int]:
    """Take the patients from those who looked after them; an account that looks after nobody else goes too."""
    users_of = set(session.scalars(select(Guardian.user_id).where(Guardian.patient_id.in_(ids))))
    _do(session, delete(Guardian).where(Guardian.patient_id.in_(ids)))
    left = set(session.scalars(select(Guardian.user_id).where(Guardian.user_id.in_(users_of))))
    gone = sorted(users_of - left)
    for user in session.scalars(select(User).where(User.id.in_(gone), User.role == Role.PATIENT).order_by(User.id)):
        sessions.end_all(session, user.id)
        user_tokens.revoke(session, user.id)
        api_tokens.revoke_all(session, user.id)
        for table in (UserToken, SecondFactor, RecoveryCode, UnsentForm):
            _do(session, delete(table).where(table.user_id == user.id))
        _do(session, update(SignIn).where(SignIn.user_id == user.id).values(address=None))
        user.name, user.email = _("Erased account"), f"erased-{user.id}@erased.invalid"
        user.password_hash, user.disabled_at = None, user.disabled_at or clock.now()
        audit.record(session, actor, "user.erase", subject=f"user/{user.id}")
    return gone


def _empty_details(session: Session, ids: Sequence[int], accounts: Sequence[int]) -> None:
    subjects = [f"user/{number}" for number in accounts]
    theirs: ColumnElement[bool] = or_(AuditEntry.patient_id.in_(ids), AuditEntry.subject.in_(subjects))
    entries: Select[int] = select(AuditEntry.id).where(theirs, AuditEntry.digest.is_not(None))
    _do(session, update(AuditDetail).where(AuditDetail.entry_id.in_(entries)).values(changes=None, salt=None))


def _do(session: Session, statement: Any) -> None:
    session.execute(statement.execution_options(synchronize_session=False))
