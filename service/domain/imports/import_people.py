"""Find which patients of a file certainly exist, and which lines only a person can decide. Nothing is guessed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.domain.foundation.errors import Invalid
from service.domain.imports.import_rows import PatientRow, VisitRow
from service.domain.patients.details import PatientDetails
from service.language.translation import gettext as _
from service.mail_addresses import address_key
from service.storage.models import Patient
from service.storage.search_keys import normalized_name, search_key

NAMED, LOOKED_AT = 3, 10
"""How many records a sentence names, and how many are checked."""


@dataclass(frozen=True)
class Known:
    """The details of a patient's row. `id` is the record it was merged into, if any."""

    id: int
    details: PatientDetails


class Here:
    """The clinic's patients by search key."""

    def __init__(self, session: Session, names: Iterable[str]) -> None:
        wanted = {_alike(name) for name in names}
        self._alike = defaultdict[str, list[Known]](list)
        self._born = defaultdict[tuple[str, date | None], list[Known]](list)
        self._lines = defaultdict[str | None, set[int]](set)
        into = _merged(session)
        for row in session.execute(
            select(
                Patient.id,
                Patient.name,
                Patient.folded_name,
                Patient.birth_date,
                Patient.phone,
                Patient.email,
                Patient.imported_line,
            ).order_by(Patient.id)
        ):
            alike = row.folded_name or normalized_name(row.name)
            if alike in wanted:
                details = PatientDetails(row.name, row.birth_date, row.phone, row.email)
                known = Known(_kept(row.id, into), details)
                self._alike[alike].append(known)
                self._born[alike, row.birth_date].append(known)
                self._lines[row.imported_line].add(known.id)

    def named(self, name: str) -> list[Known]:
        """Return everyone with a similar name."""
        return self._alike.get(_alike(name), [])

    def find(self, details: PatientDetails) -> int | None:
        """Return the record a line is certainly about; None if there is none. Raises Invalid if it's uncertain."""
        alike, born = _alike(details.name), details.birth_date
        same_day = self._born.get((alike, born), [])
        certain = {one.id for one in same_day if is_surely(one.details, details)}
        certain |= self._lines.get(line_digest(details), set())
        if len(certain) == 1:
            return certain.pop()
        # Different birth dates mean different people; a missing one means nothing.
        perhaps = self._alike.get(alike, []) if born is None else same_day + self._born.get((alike, None), [])
        if not perhaps:
            return None
        sentence = _("This may be someone already in Rounds: record %(numbers)s. Compare them before you import.")
        raise Invalid(sentence % {"numbers": _numbers({one.id for one in perhaps[:LOOKED_AT]})}, _("Full name"))


class Above:
    """The earlier lines of the file, by name and birth date."""

    def __init__(self) -> None:
        self._dated: dict[tuple[str, date | None], tuple[PatientRow, int | None]] = {}
        self._first: dict[str, tuple[PatientRow, int | None]] = {}

    def is_repeated(self, row: PatientRow, known: int | None) -> bool:
        """Return whether an earlier line certainly says the same about the same person. If not, remember this line.

        `known` is the record the line is about. Raises Invalid if an earlier line may be the same person.
        """
        alike, born = _alike(row.details.name), row.details.birth_date
        others = [self._dated.get((alike, born)), self._dated.get((alike, None)) if born else self._first.get(alike)]
        self._dated.setdefault((alike, born), (row, known))
        self._first.setdefault(alike, (row, known))
        for other, other_known in filter(None, others):
            if is_surely(other.details, row.details):
                return True
            if known is None or other_known is None or known == other_known:
                sentence = _("Line %(line)s may be the same person. The file doesn't say for certain.")
                raise Invalid(sentence % {"line": other.line}, _("Full name"))
        return False


class Named:
    """The patients named in a file of appointments, without archived ones."""

    def __init__(self, session: Session, rows: Iterable[VisitRow]) -> None:
        self._here = Here(session, {row.patient for row in rows})
        away = select(Patient.id).where(Patient.archived_at.is_not(None), Patient.merged_into_id.is_(None))
        self._archived = set(session.scalars(away))

    def find(self, row: VisitRow) -> int:
        """Return the id of the only patient with exactly this name and birth date. Raises Invalid."""
        alike = [one for one in self._here.named(row.patient) if one.id not in self._archived]
        if row.birth_date is not None:
            alike = [one for one in alike if one.details.birth_date in (row.birth_date, None)]
        exact = {
            one.id
            for one in alike
            if normalized_name(one.details.name) == normalized_name(row.patient)
            and row.birth_date in (None, one.details.birth_date)
        }
        perhaps = {one.id for one in alike}
        if not perhaps:
            raise Invalid(_("Rounds has no such patient. Import the patients first."), _("Patient"))
        if len(exact) == 1 and (row.birth_date is not None or perhaps == exact):
            return exact.pop()
        if len(perhaps) > 1:
            raise Invalid(_several(row, perhaps), _("Patient"))
        sentence = _("This may be record %(numbers)s. Write the name as it is in the record, and add the birth date.")
        raise Invalid(sentence % {"numbers": _numbers(perhaps)}, _("Patient"))


def is_surely(known: PatientDetails, line: PatientDetails) -> bool:
    """Return whether name, birth date, and a contact detail are the same, and the line has nothing new."""
    if line.birth_date is None or not (line.phone or line.email):
        return False
    is_same = normalized_name(known.name) == normalized_name(line.name) and known.birth_date == line.birth_date
    return is_same and line.phone in (None, known.phone) and _compared(line.email) in (None, _compared(known.email))


def line_digest(details: PatientDetails) -> str:
    """Return a digest of an imported line, so that the same line is recognized."""
    born = details.birth_date.isoformat() if details.birth_date else None
    said = [normalized_name(details.name), born, details.phone, _compared(details.email)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _compared(email: str | None) -> str | None:
    return address_key(email) if email else None


def _alike(name: str) -> str:
    return search_key(name) or normalized_name(name)


def _several(row: VisitRow, perhaps: set[int]) -> str:
    if row.birth_date is None:
        return _("There are several patients with this name. Add the birth date.")
    sentence = _("There are several patients with this name and birth date: records %(numbers)s.")
    return sentence % {"numbers": _numbers(perhaps)}


def _numbers(ids: set[int]) -> str:
    named = sorted(ids)
    return ", ".join(map(str, named[:NAMED])) + (" …" if len(named) > NAMED else "")


def _merged(session: Session) -> dict[int, int]:
    """Return merged records, and the records they were merged into."""
    rows = session.execute(select(Patient.id, Patient.merged_into_id).where(Patient.merged_into_id.is_not(None)))
    return {row.id: row.merged_into_id for row in rows if row.merged_into_id is not None}


def _kept(row_id: int, into: Mapping[int, int]) -> int:
    while row_id in into:
        row_id = into[row_id]
    return row_id
