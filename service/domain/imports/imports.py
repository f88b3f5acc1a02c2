"""Import data from another program: upload, match columns, preview, then import all or nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.appointments import promises
from service.domain.foundation import audit, locks
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from service.domain.imports import import_columns, import_files, import_rows, import_tables
from service.domain.imports.import_columns import ImportKind
from service.domain.imports.import_files import Upload
from service.domain.imports.import_matches import MATCHES, Plan
from service.domain.imports.import_people import line_digest
from service.domain.imports.import_rows import DoctorRow, PatientRow, Problem, Reading, Row, VisitRow, Way
from service.domain.imports.import_tables import Table
from service.domain.patients import consent
from service.language.translation import gettext as _
from service.storage.models import Appointment, Doctor, Patient

SHOWN_ROWS = 20
SHOWN_PROBLEMS = 200
BATCH = 5_000


@dataclass(frozen=True)
class Preview:
    """What an import would add, or why it can't."""

    rows: Sequence[tuple[Row, bool]]
    """The first rows of the file, and whether each is new."""
    new: int
    present: int
    problems: Sequence[Problem]
    """By line: all uncertain ones, so that someone can go through them, and the first errors."""
    problem_count: int
    doubt_count: int


def upload(actor: Actor, folder: Path, *, kind: str, file_name: str, data: bytes) -> Upload:
    """Store a file with the columns recognized in it. Raises Forbidden, Invalid."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can import data."))
    if kind not in set(ImportKind):
        raise Invalid(_("Choose what the file contains: patients, doctors, or appointments."), "kind")
    table = import_tables.read(data)
    name = file_name.replace("\\", "/").rpartition("/")[2].encode(errors="replace").decode()
    new = Upload(
        id=secrets.token_hex(16),
        user_id=actor.user_id,
        kind=ImportKind(kind),
        file_name="".join(letter for letter in name if letter.isprintable())[:100],
        created_at=clock.now(),
        columns=import_columns.guessed(ImportKind(kind), table.header),
    )
    import_files.keep(folder, new, data)
    return new


def fetch(actor: Actor, folder: Path, upload_id: str) -> Upload:
    """Return an upload for the user who made it. Raises NotFound for others, and if it doesn't exist."""
    found = import_files.load(folder, upload_id)
    if found is None or actor.role != Role.ADMIN or found.user_id != actor.user_id:
        raise NotFound
    return found


def of_actor(actor: Actor, folder: Path) -> Sequence[Upload]:
    """Return the actor's own imports of the last day, newest first."""
    return import_files.of_user(folder, actor.user_id)


def table_of(folder: Path, upload: Upload) -> Table:
    """Read the file. Raises NotFound if it's gone."""
    data = import_files.content(folder, upload)
    if data is None:
        raise NotFound
    return import_tables.read(data)


def choose(folder: Path, upload: Upload, columns: Mapping[str, int], day_first: bool | None) -> Upload:
    """Store the choice of columns, and whether the day comes first in a date such as 03/04/1985."""
    chosen = replace(upload, columns=dict(columns), day_first=day_first)
    if chosen != upload:
        import_files.note(folder, chosen)
    return chosen


def read(upload: Upload, table: Table, clinic: Clinic) -> Reading:
    """Read the lines of the file as rows, with problems that don't depend on the database."""
    return import_rows.read(table, Way(upload.kind, upload.columns, upload.day_first, clinic))


def look(session: Session, upload: Upload, reading: Reading) -> Preview:
    """Return what importing would do now, without changing anything."""
    plan = MATCHES[upload.kind](session, reading.rows)
    problems = [*reading.problems, *plan.problems]
    doubts = [one for one in problems if one.is_doubt]
    errors = sorted((one for one in problems if not one.is_doubt), key=lambda problem: problem.line)
    shown = sorted([*errors[:SHOWN_PROBLEMS], *doubts], key=lambda problem: problem.line)
    rows = [*((row, True) for row in plan.new[:SHOWN_ROWS]), *((row, False) for row in plan.present[:SHOWN_ROWS])]
    rows.sort(key=lambda shown: shown[0].line)
    return Preview(rows[:SHOWN_ROWS], len(plan.new), len(plan.present), shown, len(problems), len(doubts))


def run(session: Session, actor: Actor, upload: Upload, reading: Reading) -> tuple[int, int]:
    """Add new rows, all or nothing, and return how many are new and how many already existed.

    Raises Forbidden, Invalid if there is any problem, and Conflict if someone was faster.
    """
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only an administrator can import data."))
    locks.clinic(session)
    plan = _compared(session, upload.kind, reading.rows)
    if reading.problems or plan.problems:
        raise Invalid(_("Nothing was imported because the file has errors."))
    newest = session.scalar(select(func.max(Patient.id))) or 0
    for start in range(0, len(plan.new), BATCH):
        _insert(session, plan.new[start : start + BATCH])
    consent.keep_refusals(session, Patient.id > newest)
    promises.fill_in(session, reading.zone, Appointment.local_start.is_(None))
    audit.record(session, actor, f"import.{upload.kind}", subject=f"import/{upload.kind}/{len(plan.new)}")
    return len(plan.new), len(plan.present)


def settle(folder: Path, upload: Upload, added: int, present: int) -> None:
    """Store the result, and remove the file. Call it after the commit."""
    import_files.settle(folder, upload, added, present)


def cancel(folder: Path, upload: Upload) -> None:
    """Remove the file without importing it."""
    import_files.remove(folder, upload)


def _compared(session: Session, kind: ImportKind, rows: Sequence[Row]) -> Plan:
    """Compare the rows again after locking the people of new appointments, because they may have changed."""
    held: set[VisitRow] = set()
    while True:
        plan = MATCHES[kind](session, rows)
        new = {row for row in plan.new if isinstance(row, VisitRow)}
        if new <= held:
            return plan
        locks.patients(session, *(row.patient_id for row in new))
        locks.doctors(session, Doctor.id.in_({row.doctor_id for row in new}))
        held |= new


def _insert(session: Session, rows: Sequence[Row]) -> None:
    now = clock.now()
    try:
        session.execute(insert(_table(rows[0])), [{"created_at": now, **_columns(row)} for row in rows])
    except IntegrityError:
        raise Conflict(_("Someone just booked one of these slots. Preview the file again.")) from None


def _table(row: Row) -> type[Patient | Doctor | Appointment]:
    """Return the table of a row."""
    match row:
        case PatientRow():
            return Patient
        case DoctorRow():
            return Doctor
        case VisitRow():
            return Appointment
        case never:
            assert_never(never)


def _columns(row: Row) -> dict[str, Any]:
    """Return the column values of a row."""
    match row:
        case PatientRow():
            return {**row.details.columns(), "imported_line": line_digest(row.details)}
        case DoctorRow():
            return {"name": row.name, "department": row.department}
        case VisitRow():
            names = ("doctor_id", "patient_id", "starts_at", "ends_at", "reason")
            return {name: getattr(row, name) for name in names}
        case never:
            assert_never(never)
