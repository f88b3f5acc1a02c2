"""Merge two records of one person: everything of the second moves to the first, and nothing is deleted.

whole_person.py defines what moves and which of two values is kept, for each table and column.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import Conflict, Forbidden, Invalid
from service.domain.outbox.channels import CHANNELS, WAYS
from service.domain.patients import consent, patient_records, patients, record_owners, whole_person
from service.domain.patients.person_rules import Merged, Rows, TableRule
from service.language.translation import gettext as _
from service.storage.models import Appointment, ConsentVia, Export, Guardian, Patient, Treatment, User


@dataclass(frozen=True)
class Side:
    """One of the two records, as shown before the merge."""

    patient: Patient
    visits: int
    accounts: list[str]
    """E-mail addresses of the users who have access, and who will see the whole record afterwards."""


def side(session: Session, actor: Actor, patient_id: int) -> Side:
    """Return what a record holds. Raises NotFound, Forbidden, and Conflict if it was already merged."""
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can merge records."))
    patient = patients.fetch(session, actor, patient_id)
    patients.refuse_merged(patient)
    visits = select(func.count()).select_from(Appointment).where(Appointment.patient_id == patient_id)
    accounts = select(User.email).join(Guardian, Guardian.user_id == User.id).where(Guardian.patient_id == patient_id)
    return Side(patient, session.scalar(visits) or 0, list(session.scalars(accounts.order_by(User.id))))


def merge(session: Session, actor: Actor, kept_id: int, *, other_id: int, wait_hours: int) -> None:
    """Move everything from the other record to the kept one, fill in its missing values, and archive the other.

    Guardians of one record can read the clinical texts of the other after `wait_hours`, if it has any.
    Raises NotFound, Forbidden, Invalid (the same record twice), and Conflict if appointments overlap, a record was
    already merged, the kept one is archived, or one of them is being exported.
    """
    if actor.role not in patients.DESK:
        raise Forbidden(_("Only receptionists and administrators can merge records."))
    if kept_id == other_id:
        raise Invalid(_("Choose a different record. A record can't be merged with itself."), "other_id")
    theirs = or_(Patient.id.in_((kept_id, other_id)), Patient.merged_into_id == other_id)
    locks.patients_of(session, select(Patient.id).where(theirs))
    kept, other = (patient_records.to_change(session, actor, number) for number in (kept_id, other_id))
    if kept.archived_at is not None:
        raise Conflict(_("The record to keep is archived. Restore it first."))
    _check_exports(session, kept_id, other_id)
    _unite_guardians(session, kept, other, wait_hours)
    for rule in whole_person.TABLES:
        _move_rows(session, rule, kept_id, other_id)
    _combine(session, actor, kept, other)
    session.execute(update(Patient).where(Patient.merged_into_id == other_id).values(merged_into_id=kept_id))
    now = clock.now()
    other.merged_into_id, other.archived_at = kept_id, other.archived_at or now
    kept.registered_at = other.registered_at = None
    audit.record(session, actor, "patient.merge", patient_id=kept_id, subject=f"patient/{other_id}")
    audit.record(session, actor, "patient.merged_away", patient_id=other_id, subject=f"patient/{kept_id}")


def _check_exports(session: Session, *patient_ids: int) -> None:
    """Raise Conflict while an export of one of the records is being written."""
    unfinished = Export.patient_id.in_(patient_ids), Export.is_unfinished
    if session.scalar(select(Export.id).where(*unfinished).limit(1)):
        raise Conflict(_("One of these records is being exported. Try again in a minute."))


def _move_rows(session: Session, rule: TableRule, kept_id: int, other_id: int) -> None:
    match rule.merged:
        case Rows.MOVE:
            _move(session, rule, kept_id, other_id)
        case Rows.UNITE | Rows.FOLLOW | Rows.STAY:
            pass
        case never:
            assert_never(never)


def _move(session: Session, rule: TableRule, kept_id: int, other_id: int) -> None:
    for column in rule.of_patients:
        try:
            session.execute(update(rule.table).where(column == other_id).values({column: kept_id}))
        except IntegrityError:
            # Only appointments can collide: a patient can't have two at the same time.
            words = _("Both records have an appointment at the same time. Cancel or reschedule one of them first.")
            raise Conflict(words) from None


def _unite_guardians(session: Session, kept: Patient, other: Patient, wait_hours: int) -> None:
    """Give the guardians of either record access to the kept one, and notify the owner of each record new to them."""
    mine, theirs = (_guardians(session, record) for record in (kept, other))
    for user_id in sorted(mine.keys() | theirs.keys()):
        held = [one for one in (mine.get(user_id), theirs.get(user_id)) if one]
        opens = [one.clinical_from for one in held if one.clinical_from]
        gained = other if user_id in mine else kept
        if len(held) == 1 and _has_to_wait(session, user_id, gained, wait_hours):
            opens.append(clock.now() + timedelta(hours=wait_hours))
            record_owners.tell(session, "guardian_linked", gained.id, event="guardian.add")
        guardian = mine.get(user_id) or Guardian(user_id=user_id, patient_id=kept.id, created_at=clock.now())
        guardian.clinical_from = max(opens, default=None)
        session.add(guardian)
    for guardian in theirs.values():
        session.delete(guardian)
    session.flush()


def _guardians(session: Session, record: Patient) -> dict[int, Guardian]:
    return {one.user_id: one for one in session.scalars(select(Guardian).where(Guardian.patient_id == record.id))}


def _has_to_wait(session: Session, user_id: int, gained: Patient, wait_hours: int) -> bool:
    """Return whether a user gains access to clinical texts of a record that isn't their own."""
    treated = select(Treatment.id).join(Treatment.appointment).where(Appointment.patient_id == gained.id).limit(1)
    if session.scalar(treated) is None:
        return False
    return not record_owners.is_own_address(session, gained, session.get_one(User, user_id).email, wait_hours)


def _combine(session: Session, actor: Actor, kept: Patient, other: Patient) -> None:
    """Apply each column's rule to the kept record, and record which channels are off from now on."""
    address, allowed = (kept.email, kept.phone), [way for way in WAYS if CHANNELS[way].is_allowed_by(kept)]
    _settle_columns(kept, other, has_no_address=not any(address))
    if kept.email != address[0]:
        kept.email_form = other.email_form
    for way in allowed:
        if not CHANNELS[way].is_allowed_by(kept):
            consent.note(session, actor, kept, way, ConsentVia.MERGE)
    if (kept.email, kept.phone) != address:
        consent.keep_refusals(session, Patient.id == kept.id)


def _settle_columns(kept: Patient, other: Patient, *, has_no_address: bool) -> None:
    for name, rule in whole_person.COLUMNS.items():
        mine, theirs = getattr(kept, name), getattr(other, name)
        match rule.merged:
            case Merged.FILLED:
                setattr(kept, name, theirs if mine is None else mine)
            case Merged.WITH_ADDRESS:
                first, second = (theirs, mine) if has_no_address else (mine, theirs)
                setattr(kept, name, second if first is None else first)
            case Merged.STRICTER:
                setattr(kept, name, mine and theirs)
            case Merged.JOINED:
                setattr(kept, name, "\n".join(dict.fromkeys(text for text in (mine, theirs) if text)))
            case Merged.KEPT | Merged.SETTLED:
                pass
            case never:
                assert_never(never)
