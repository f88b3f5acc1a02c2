"""Erasure: all that tells who a patient was and what was found goes; appointments stay as figures under a pseudonym.

What goes and what stays is said in patients/whole_person.py, column by column and table by table. What the law or a
court needs is looked at first: a legal hold, the years that treatments are kept, open appointments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from sqlalchemy import Text, cast, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, undefer
from sqlalchemy.orm.attributes import flag_modified

from service import clock
from service.domain.accounts import api_tokens, sessions, user_tokens
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden
from service.domain.messages import deliveries
from service.domain.patients import patient_records, patients, whole_person
from service.domain.patients.person_rules import Becomes, Deleted, Emptied, Person, Rewritten, Stays, TableRule
from service.domain.privacy import legal_holds
from service.domain.reports import erased_names
from service.language import rendering
from service.language.translation import gettext as _
from service.storage.models import (
    Appointment,
    Base,
    Export,
    ExportStatus,
    Guardian,
    LegalHold,
    Message,
    Patient,
    Report,
    ReportVersion,
    Treatment,
    User,
)
from service.storage.search_keys import search_key

MOST_DUE = 100
ERASED_NAME = "Erased account"
"""Stored, so always in English."""


@dataclass(frozen=True)
class Obstacles:
    """Why a record can't be erased now; both empty where it can."""

    sentences: Sequence[str]
    kept_until: date | None = None
    """Through which day the law requires that its treatments are kept."""

    def __bool__(self) -> bool:
        return bool(self.sentences) or self.kept_until is not None


def obstacles(session: Session, actor: Actor, patient_id: int, *, years: int, zone: ZoneInfo) -> Obstacles:
    """What stands against an erasure now. Raises NotFound, Forbidden."""
    found = []
    if legal_holds.standing(session, actor, patient_id):
        found.append(_("There is a legal hold. Lift it first."))
    if session.scalar(select(exists().where(Appointment.patient_id == patient_id, Appointment.is_expected()))):
        found.append(_("There are upcoming appointments. Cancel them first."))
    until = kept_until(session, patient_id, years=years, zone=zone)
    required = until if until is not None and until > clock.today(zone) else None
    theirs = or_(Export.patient_id == patient_id, Export.patient_id.is_(None))  # the whole clinic's has them too
    unfinished = theirs, Export.is_unfinished
    if session.scalar(select(Export.id).where(*unfinished).limit(1)):
        found.append(_("An export is being made. Try again in a minute."))
    return Obstacles(found, required)


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
    """Records whose last appointment, or making, is so many years ago that they may go; oldest first, at most 100."""
    if actor.role != Role.ADMIN:
        return []
    today = clock.today(zone)
    first_of_year = today.replace(year=max(1, today.year - years), month=1, day=1)
    limit = clock.day_bounds(first_of_year, zone)[0]  # whole years: no one is listed a day too early
    lately = exists().where(Appointment.patient_id == Patient.id, Appointment.starts_at >= limit)
    held = exists().where(LegalHold.patient_id == Patient.id, LegalHold.lifted_at.is_(None))
    over = (Patient.created_at < limit, Patient.erased_at.is_(None), Patient.merged_into_id.is_(None), ~lately, ~held)
    return session.scalars(select(Patient).where(*over).order_by(Patient.id).limit(MOST_DUE)).all()


def erase(session: Session, actor: Actor, patient_id: int, *, years: int, zone: ZoneInfo) -> None:
    """Erase a patient for good. Twice is once.

    The caller removes the files that may name them. Raises NotFound, Forbidden, and Conflict while
    something stands against it.
    """
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can erase a record."))
    deliveries.wait_for_claims(session)
    locks.patients_of(session, patients.records_of(patient_id))
    patient = patient_records.to_change(session, actor, patient_id, erased=True)
    if patient.erased_at is not None:
        return
    against = obstacles(session, actor, patient_id, years=years, zone=zone)
    if against:
        raise Conflict(" ".join(against.sentences) or _("The law requires that its treatments are kept longer."))
    person = _person(session, patient_id)
    _silence_others(session, person)
    patient_records.close_waiting(session, patient_id)
    for rule in whole_person.TABLES:
        _erase_rows(session, rule, person)
    for row in session.scalars(select(Patient).where(Patient.id.in_(person.records))):
        _erase_columns(row, patients.pseudonym(patient_id))
    for number in person.accounts:
        audit.record(session, actor, "user.erase", subject=f"user/{number}")
    for number in person.records:
        audit.record(session, actor, "patient.erase", patient_id=number)


def _person(session: Session, patient_id: int) -> Person:
    """All rows that stand for a person, whose record is locked: nothing is merged into it any more."""
    records = session.scalars(patients.records_of(patient_id).order_by(Patient.id)).all()
    users = set(session.scalars(select(Guardian.user_id).where(Guardian.patient_id.in_(records))))
    others = Guardian.user_id.in_(users), Guardian.patient_id.not_in(records)
    alone = users - set(session.scalars(select(Guardian.user_id).where(*others)))
    accounts = session.scalars(select(User.id).where(User.id.in_(alone), User.role == Role.PATIENT).order_by(User.id))
    return Person(patient_id, [number for number in records if number != patient_id], accounts.all())


def _erase_columns(row: Patient, name: str) -> None:
    for column, rule in whole_person.COLUMNS.items():
        match rule.erased:
            case Becomes(value):
                setattr(row, column, value)
            case Stays():
                pass
            case never:
                assert_never(never)
    row.name, row.folded_name = name, search_key(name)
    row.erased_at = clock.now()
    row.archived_at = row.archived_at or row.erased_at


def _erase_rows(session: Session, rule: TableRule, person: Person) -> None:
    theirs = rule.whose(person)
    match rule.erased:
        case Emptied(columns):
            _do(session, update(rule.model).where(theirs).values(dict(columns)))
        case Deleted():
            _do(session, delete(rule.model).where(theirs))
        case Rewritten():
            REWRITING[rule.model](session, person)
        case Stays():
            pass
        case never:
            assert_never(never)


def _silence_others(session: Session, person: Person) -> None:
    """Empty messages to others that name them: a relative's who shares the address, a call list."""
    names = session.scalars(select(Patient.name).where(Patient.id.in_(person.records))).all()
    named = (Message.body.contains(rendering.one_line(name), autoescape=True) for name in names)
    rule = next(rule for rule in whole_person.TABLES if rule.model is Message)
    assert isinstance(rule.erased, Emptied)
    _do(session, update(Message).where(or_(*named)).values(dict(rule.erased.columns)))


def _expire_files(session: Session, person: Person) -> None:
    """Let the finished exports of them, and of the whole clinic, lead nowhere."""
    theirs = or_(Export.patient_id.in_(person.records), Export.patient_id.is_(None))
    finished = theirs, Export.status == ExportStatus.AVAILABLE
    _do(session, update(Export).where(*finished).values(status=ExportStatus.EXPIRED, expires_at=clock.now()))


def _rewrite_reports(session: Session, person: Person) -> None:
    _rewrite(session, Report, person)


def _rewrite_versions(session: Session, person: Person) -> None:
    _rewrite(session, ReportVersion, person)


def _rewrite(session: Session, table: type[Report | ReportVersion], person: Person) -> None:
    """Put the pseudonym into the reports that name them, and take the texts out."""
    named = or_(*(cast(table.content, Text).contains(f'"patient_id": {number}') for number in person.records))
    query = select(table).options(undefer(table.content)).where(named)
    reports: Iterable[Report | ReportVersion] = session.scalars(query)
    for report in reports:
        if erased_names.hide(report.content, patients.pseudonym(person.record), person.records):
            flag_modified(report, "content")


def _close_accounts(session: Session, person: Person) -> None:
    """Let no one sign in any more who looked after them alone."""
    for user in session.scalars(select(User).where(User.id.in_(person.accounts)).order_by(User.id)):
        sessions.end_all(session, user.id)
        user_tokens.revoke(session, user.id)
        api_tokens.revoke_all(session, user.id)
        user.name, user.email = ERASED_NAME, f"erased-{user.id}@erased.invalid"
        user.password_hash, user.disabled_at = None, user.disabled_at or clock.now()


REWRITING: Mapping[type[Base], Callable[[Session, Person], None]] = {
    Export: _expire_files,
    Report: _rewrite_reports,
    ReportVersion: _rewrite_versions,
    User: _close_accounts,
}
"""What the list calls rewritten."""


def _do(session: Session, statement: Any) -> None:
    session.execute(statement.execution_options(synchronize_session=False))
