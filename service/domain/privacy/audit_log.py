"""Reading the audit: the admin's log by period, person and patient, its file, and who looked at one's own record."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from service.domain.accounts import addresses
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.csv_format import guarded
from service.domain.foundation.errors import Invalid, NotFound
from service.domain.foundation.paging import cut, page_key, read_key
from service.domain.patients import patient_search, patients
from service.language.translation import gettext as _
from service.language.typed_dates import Order
from service.storage.models import AuditDetail, AuditEntry, Patient, User

PAGE = 100
LOOKS_PAGE = 50
MOST_IN_A_FILE = 100_000
SORTS: Mapping[str, Any] = {
    "at": AuditEntry.at,
    "person": User.name,
    "role": AuditEntry.role,
    "act": AuditEntry.act,
    "patient": Patient.name,
    "subject": AuditEntry.subject,
    "address": AuditEntry.address,
}
CLINICAL = frozenset({"patient.alerts", "treatment.correct"})
"""Acts whose texts are the doctors': the admin sees which ones changed, never what they say."""

OF_EVERYBODY = frozenset({"export.download", "export.write_clinic", "audit.download"})
"""Acts that take something of every record along, where they name no patient."""
BY_COMMAND = frozenset({"export.write", "export.write_clinic"})
"""Acts of the person who sits at the clinic's own computer: no one is signed in there."""

COLUMNS = (
    "Entry",
    "Time (UTC)",
    "User ID",
    "Person",
    "Role",
    "Act",
    "Patient ID",
    "Patient",
    "Row",
    "Address",
    "Before and after",
    "Seal",
)


@dataclass(frozen=True)
class Wanted:
    """Which entries someone asks for, in which order."""

    since: datetime
    until: datetime
    date_order: Order
    """Of a birth date in `patient`."""
    person: str = ""
    """Part of a name or an e-mail address, or the number of an account."""
    patient: str = ""
    """As in the search for patients, or the number of a record."""
    sort: str = "at"
    descending: bool = True


def page(session: Session, actor: Actor, wanted: Wanted, number: int = 1) -> tuple[Sequence[Row[Any]], bool]:
    """A page of entries, counted from 1, and whether there are more. Raises NotFound for who is not the admin."""
    rows = session.execute(_query(actor, wanted).offset((number - 1) * PAGE).limit(PAGE + 1)).all()
    return rows[:PAGE], len(rows) > PAGE


def write_csv(session: Session, actor: Actor, wanted: Wanted, target: TextIO) -> None:
    """All that fit, written to `target` (opened with newline=""). Raises NotFound, and Invalid for far too many."""
    query = _query(actor, wanted)
    entries = select(func.count()).select_from(query.with_only_columns(AuditEntry.id).order_by(None).subquery())
    if session.execute(entries).scalar_one() > MOST_IN_A_FILE:
        raise Invalid(_("That's too much for one file. Choose a shorter period."))
    target.write("\ufeff")
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in session.execute(query.execution_options(yield_per=1000)):
        writer.writerow([guarded("" if value is None else str(value)) for value in _fields(row)])


def shown_changes(row: Row[Any]) -> dict[str, list[Any] | None] | None:
    """What an entry changed from and to; a text that only doctors read stands as None."""
    if row.changes is None:
        return None
    return {name: None if row.act in CLINICAL else pair for name, pair in row.changes.items()}


def looks(
    session: Session, actor: Actor, patient_id: int, *, before: str | None = None
) -> tuple[Sequence[Any], str | None]:
    """What others did with a record the actor looks after, newest first, and the key of the next page.

    What was done with all records at once is there too; an entry without a name was made at the clinic's computer.
    Raises NotFound for a patient who is none of the actor's.
    """
    if actor.role != Role.PATIENT:
        raise NotFound
    patients.fetch(session, actor, patient_id)
    of_this = patients.records_of(patient_id)
    here_since = select(func.min(Patient.created_at)).where(Patient.id.in_(of_this)).scalar_subquery()
    of_all = and_(AuditEntry.patient_id.is_(None), AuditEntry.act.in_(OF_EVERYBODY), AuditEntry.at >= here_since)
    query = (
        select(AuditEntry.id, AuditEntry.at, AuditEntry.act, AuditEntry.role, AuditEntry.patient_id, User.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .where(or_(AuditEntry.patient_id.in_(of_this), of_all))
        .where(or_(AuditEntry.user_id != actor.user_id, _by_command()))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(LOOKS_PAGE + 1)
    )
    if before:
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < read_key(before))
    rows = session.execute(query).all()
    return cut(rows, LOOKS_PAGE, lambda last: page_key(last.at, last.id))


def _by_command() -> ColumnElement[bool]:
    return and_(AuditEntry.user_id.is_(None), AuditEntry.act.in_(BY_COMMAND))


def _query(actor: Actor, wanted: Wanted) -> Select[*tuple[Any, ...]]:
    if actor.role != Role.ADMIN:
        raise NotFound
    query = (
        select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.user_id,
            User.name.label("person"),
            AuditEntry.role,
            AuditEntry.act,
            AuditEntry.patient_id,
            Patient.name.label("patient"),
            AuditEntry.subject,
            AuditEntry.address,
            AuditDetail.changes,
            AuditEntry.seal,
        )
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Patient, Patient.id == AuditEntry.patient_id)
        .outerjoin(AuditDetail, AuditDetail.entry_id == AuditEntry.id)
        .where(AuditEntry.at >= wanted.since, AuditEntry.at < wanted.until)
    )
    if wanted.person:
        query = query.where(AuditEntry.user_id.in_(_people(wanted.person)))
    if wanted.patient:
        query = query.where(AuditEntry.patient_id.in_(_patients(wanted.patient, wanted.date_order)))
    key = SORTS[wanted.sort]
    order = (key, AuditEntry.id) if wanted.sort != "at" else (AuditEntry.at, AuditEntry.id)
    return query.order_by(*(part.desc() if wanted.descending else part.asc() for part in order))


def _people(text: str) -> Select[int]:
    number = _number(text)
    if number is not None:
        return select(User.id).where(User.id == number)
    return select(User.id).where(or_(User.name.icontains(text, autoescape=True), addresses.holding(text)))


def _patients(text: str, order: Order) -> Select[int]:
    number = _number(text)
    if number is not None:
        return patients.records_of(number)
    return select(Patient.id).where(*patient_search.parse(text, order).conditions())


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return min(int(text), 2**63 - 1)


def _fields(row: Row[Any]) -> Iterator[Any]:
    changes = shown_changes(row)
    values = row._asdict()
    values["at"] = f"{row.at:%Y-%m-%d %H:%M:%S.%f}"
    values["changes"] = json.dumps(changes, ensure_ascii=False) if changes else ""
    yield from values.values()
