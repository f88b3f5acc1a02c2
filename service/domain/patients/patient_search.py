"""Find patients by name, birth date, or phone; list the newest ones, and find likely duplicates."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, false, or_, select, tuple_
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import paging
from service.domain.foundation.actor import Actor, Role
from service.domain.patients import patients
from service.domain.patients.details import PatientDetails
from service.language import typed_dates
from service.language.typed_dates import Order
from service.mail_addresses import address_key, as_folded_before
from service.storage.models import AddressForm, Appointment, Patient
from service.storage.search_keys import search_key

PAGE = 25
LONGEST = 200
"""Characters of a search that are used."""
MOST_WORDS = 8
FEWEST_DIGITS = 3
"""Fewer digits aren't treated as part of a phone number."""

_PHONE = re.compile(r"\+?[\d\s()/.-]+")


@dataclass(frozen=True)
class Found:
    """A page of patients, and the id after which the next page starts."""

    patients: Sequence[Patient]
    after: int | None


@dataclass(frozen=True)
class SearchTerms:
    """What someone typed: words of a name as search keys, digits of a phone number, and possible birth dates."""

    words: Sequence[str] = ()
    digits: str = ""
    born: Sequence[date] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on a patient. An empty search finds no one."""
        # A search key holds only letters and digits, so LIKE sees no wildcards except ours.
        found: list[ColumnElement[bool]] = [Patient.folded_name.like(f"%{word}%") for word in self.words]
        if self.digits:
            found.append(Patient.phone.like(f"%{self.digits}%"))
        if self.born is not None:
            found.append(Patient.birth_date.in_(self.born))
        return found or [false()]


def parse(text: str, order: Order) -> SearchTerms:
    """Parse a search: `vogt`, `Vogt 4.5.1985` (a date in the reader's order), `1985-05-04`, `0170 555`.

    A two-digit year matches every year that ends with these digits.
    """
    born, rest = typed_dates.find_dates(typed_dates.plain(text[:LONGEST]), order)
    digits = re.sub(r"\D", "", rest.replace("(0)", ""))
    if rest and _PHONE.fullmatch(rest) and len(digits) >= FEWEST_DIGITS:
        # Stored numbers start with the country code, so they don't contain the zeros before it or before the area code.
        return SearchTerms(digits=digits.lstrip("0") or digits, born=born)
    return SearchTerms(words=search_key(rest).split()[:MOST_WORDS], born=born)


def search(session: Session, actor: Actor, text: str, order: Order, *, after: int | None = None) -> Found:
    """Return the actor's patients that match a text, archived ones too: 25 at a time, starting after the id `after`.

    `order` is the order of day, month, and year in which dates are typed.
    They are sorted by name if the text contains one, using its index. Raises NotFound for an unknown `after`.
    """
    sought = parse(text, order)
    key = (Patient.folded_name, Patient.id) if sought.words else (Patient.id,)
    query = select(Patient).where(Patient.merged_into_id.is_(None), *sought.conditions(), patients.visible(actor))
    if after is not None:
        last = patients.fetch(session, actor, after)
        query = query.where(tuple_(*key) > ((last.folded_name, last.id) if sought.words else (last.id,)))
    found = session.scalars(query.order_by(*key).limit(PAGE + 1)).all()
    return Found(*paging.cut(found, PAGE, lambda patient: patient.id))


def latest(session: Session, actor: Actor) -> Sequence[Patient]:
    """Return the patients that a doctor saw last, or the newest ones for other roles: at most one page."""
    if actor.role != Role.DOCTOR:
        newest = select(Patient).where(patients.PRESENT).order_by(Patient.id.desc()).limit(PAGE)
        return session.scalars(newest).all()
    seen = session.scalars(
        select(Appointment.patient_id)
        .where(Appointment.doctor_id == actor.doctor_id, Appointment.starts_at <= clock.now())
        .order_by(Appointment.starts_at.desc())
        .limit(4 * PAGE)
    )
    ids = list(dict.fromkeys(seen))[:PAGE]
    people = {patient.id: patient for patient in session.scalars(select(Patient).where(Patient.id.in_(ids)))}
    return [people[patient_id] for patient_id in ids if people[patient_id].archived_at is None]


def to_confirm(session: Session, actor: Actor) -> Sequence[Patient]:
    """Return the patients who registered online and aren't confirmed yet, oldest first: at most one page."""
    if actor.role not in patients.DESK:
        return []
    waiting = select(Patient).where(Patient.registered_at.is_not(None), patients.PRESENT)
    return session.scalars(waiting.order_by(Patient.registered_at, Patient.id).limit(PAGE)).all()


def likely_duplicates(
    session: Session, actor: Actor, who: PatientDetails, *, except_id: int | None = None
) -> Sequence[Patient]:
    """Return records with the same name and birth date (or an unknown one), phone, or e-mail: at most ten."""
    signs: list[ColumnElement[bool]] = []
    key = search_key(who.name)
    if key:
        same_day = or_(Patient.birth_date == who.birth_date, Patient.birth_date.is_(None)) if who.birth_date else True
        signs.append((Patient.folded_name == key) & same_day)
    if who.phone:
        signs.append(Patient.phone == who.phone)
    if who.email:
        before = (Patient.email == as_folded_before(who.email)) & (Patient.email_form != AddressForm.TYPED)
        signs.append((Patient.email_key == address_key(who.email)) | before)
    if not signs:
        return []
    query = select(Patient).where(or_(*signs), Patient.merged_into_id.is_(None), patients.visible(actor))
    if except_id is not None:
        query = query.where(Patient.id != except_id)
    return session.scalars(query.order_by(Patient.id).limit(10)).all()
