"""Finding patients: by name in any script and case, birth date, phone; the newest, and who may be there twice."""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, false, or_, select, tuple_
from sqlalchemy.orm import Session

from service import clock
from service.domain.foundation import paging
from service.domain.foundation.actor import Actor, Role
from service.domain.patients import patients
from service.domain.patients.details import PatientDetails
from service.mail_addresses import address_key, as_folded_before
from service.storage.models import AddressForm, Appointment, Patient
from service.storage.search_keys import search_key

PAGE = 25
LONGEST = 200
"""Characters of a search that count."""
MOST_WORDS = 8
FEWEST_DIGITS = 3
"""Fewer are no part of a phone number."""

_DATE = re.compile(r"\b(?:(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})\s*([./-])\s*(\d{1,2})\s*\5\s*(\d{4}|\d{2}))\b")
_PHONE = re.compile(r"\+?[\d\s()/.-]+")


@dataclass(frozen=True)
class Found:
    """Some patients, and after whom the next page starts."""

    patients: Sequence[Patient]
    after: int | None


@dataclass(frozen=True)
class Wanted:
    """What somebody typed: folded words of a name, digits of a phone, and the days a birth date may mean."""

    words: Sequence[str] = ()
    digits: str = ""
    born: Sequence[date] | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """What a patient has to fulfil; nothing is found where the text said nothing."""
        # A folded word has letters and digits only, so that LIKE sees no wildcard but ours.
        found: list[ColumnElement[bool]] = [Patient.folded_name.like(f"%{word}%") for word in self.words]
        if self.digits:
            found.append(Patient.phone.like(f"%{self.digits}%"))
        if self.born is not None:
            found.append(Patient.birth_date.in_(self.born))
        return found or [false()]


def wanted(text: str) -> Wanted:
    """Read a search: `vogt`, `Vogt 4.5.1985` (the day first), `1985-05-04`, `0170 555`."""
    typed = "".join(str(unicodedata.decimal(letter, letter)) for letter in text[:LONGEST])
    written = _DATE.search(typed)
    rest = (typed[: written.start()] + " " + typed[written.end() :] if written else typed).strip()
    digits = re.sub(r"\D", "", rest.replace("(0)", ""))
    if rest and _PHONE.fullmatch(rest) and len(digits) >= FEWEST_DIGITS:
        # Numbers are kept with their country: the zeros that stand for it, or before an area, are not in them.
        return Wanted(digits=digits.lstrip("0") or digits, born=_days(written))
    return Wanted(words=search_key(rest).split()[:MOST_WORDS], born=_days(written))


def _days(written: re.Match[str] | None) -> list[date] | None:
    """The days a birth date may mean: two with a year of two digits, none for 31 June."""
    if written is None:
        return None
    if written[1]:
        years, month, day = [int(written[1])], int(written[2]), int(written[3])
    else:
        day, month, year = int(written[4]), int(written[6]), int(written[7])
        years = [year] if len(written[7]) == 4 else [1900 + year, 2000 + year]
    days = []
    for year in years:
        with suppress(ValueError):
            days.append(date(year, month, day))
    return days


def search(session: Session, actor: Actor, text: str, *, after: int | None = None) -> Found:
    """The actor's patients that fit a text, archived ones too; 25 at a time, from behind one on.

    By name, where a name was asked for: then its index gives them in order. Raises NotFound for an unknown `after`.
    """
    sought = wanted(text)
    key = (Patient.folded_name, Patient.id) if sought.words else (Patient.id,)
    query = select(Patient).where(Patient.merged_into_id.is_(None), *sought.conditions(), patients.visible(actor))
    if after is not None:
        last = patients.fetch(session, actor, after)
        query = query.where(tuple_(*key) > ((last.folded_name, last.id) if sought.words else (last.id,)))
    found = session.scalars(query.order_by(*key).limit(PAGE + 1)).all()
    return Found(*paging.cut(found, PAGE, lambda patient: patient.id))


def latest(session: Session, actor: Actor) -> Sequence[Patient]:
    """Whom one is likely to look for: a doctor's patients seen last, the desk's newest; at most a page."""
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
    """Those who registered themselves and whom the desk has not confirmed yet, longest waiting first; at most 25."""
    if actor.role not in patients.DESK:
        return []
    waiting = select(Patient).where(Patient.registered_at.is_not(None), patients.PRESENT)
    return session.scalars(waiting.order_by(Patient.registered_at, Patient.id).limit(PAGE)).all()


def likely_same(
    session: Session, actor: Actor, who: PatientDetails, *, except_id: int | None = None
) -> Sequence[Patient]:
    """Who may be this person: the same name and birth date (or one is not known), phone, or e-mail; at most ten."""
    signs: list[ColumnElement[bool]] = []
    folded = search_key(who.name)
    if folded:
        same_day = or_(Patient.birth_date == who.birth_date, Patient.birth_date.is_(None)) if who.birth_date else True
        signs.append((Patient.folded_name == folded) & same_day)
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
