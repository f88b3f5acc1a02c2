"""Match the columns of a file with ours, by their English or German headings or a user's choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.search_keys import search_key


class ImportKind(StrEnum):
    """The kind of data in a file."""

    PATIENTS = "patients"
    DOCTORS = "doctors"
    VISITS = "visits"


Chosen = Mapping[str, int]
"""Our column -> the number of the file's column, starting at 0."""


@dataclass(frozen=True)
class Column:
    """A column we can import."""

    name: str
    label: str
    known_as: str
    """Headings used by other programs, the preferred ones first."""


NAME = "name, full name, display name, vollständiger name"
FIRST_NAME = "first name, firstname, given name, forename, vorname, rufname"
LAST_NAME = "last name, lastname, surname, family name, nachname, familienname"
BIRTH_DATE = (
    "birth date, birthdate, date of birth, dob, born, birthday, geburtsdatum, geb datum, geb, geboren, geboren am, "
    "geburtstag"
)
MOBILE = "mobile, mobile phone, mobile number, cell, cell phone, mobil, mobiltelefon, mobilnummer, handy, handynummer"
PHONE = "phone, phone number, telephone, tel, home phone, telefon, telefonnummer, tel nr, festnetz"
EMAIL = "e-mail, email, mail, e-mail address, email address, e-mail-adresse, emailadresse, mailadresse"
DEPARTMENT = "department, specialty, speciality, fachrichtung, abteilung, fachgebiet, fachbereich"
DATE = (
    "date, appointment date, visit date, day, starts at, start, date and time, datum, termin, termindatum, tag, "
    "beginn, datum und uhrzeit, datum uhrzeit"
)
TIME = "time, start time, hour, uhrzeit, zeit, startzeit, von"
MINUTES = "minutes, duration, length, min, duration min, minuten, dauer, dauer min, dauer in minuten"
DOCTOR = (
    "doctor, doctor name, provider, physician, practitioner, arzt, ärztin, behandler, behandlerin, behandelnder arzt"
)
REASON = "reason, reason for visit, subject, note, comment, grund, anlass, besuchsgrund, terminart, bemerkung, notiz"

COLUMNS: dict[ImportKind, tuple[Column, ...]] = {
    ImportKind.PATIENTS: (
        Column("name", _l("Full name"), NAME),
        Column("first_name", _l("First name"), FIRST_NAME),
        Column("last_name", _l("Last name"), LAST_NAME),
        Column("birth_date", _l("Birth date"), BIRTH_DATE),
        Column("mobile", _l("Mobile phone"), MOBILE),
        Column("phone", _l("Phone"), PHONE),
        Column("email", _l("E-mail"), EMAIL),
    ),
    ImportKind.DOCTORS: (
        Column("title", _l("Title"), "title, titel, akademischer titel"),
        Column("name", _l("Full name"), NAME),
        Column("first_name", _l("First name"), FIRST_NAME),
        Column("last_name", _l("Last name"), LAST_NAME),
        Column("department", _l("Department"), DEPARTMENT),
    ),
    ImportKind.VISITS: (
        Column("date", _l("Date"), DATE),
        Column("time", _l("Time"), TIME),
        Column("minutes", _l("Minutes"), MINUTES),
        Column("doctor", _l("Doctor"), DOCTOR),
        Column("name", _l("Patient"), f"patient, patient name, patientin, patientenname, {NAME}"),
        Column("first_name", _l("Patient's first name"), FIRST_NAME),
        Column("last_name", _l("Patient's last name"), LAST_NAME),
        Column("birth_date", _l("Patient's birth date"), BIRTH_DATE),
        Column("reason", _l("Reason"), REASON),
    ),
}


def guessed(kind: ImportKind, header: Sequence[str]) -> dict[str, int]:
    """Return the columns recognized by their headings. A repeated heading counts once."""
    folded = [search_key(heading) for heading in header]
    found = {}
    for column in COLUMNS[kind]:
        for heading in column.known_as.split(", "):
            if search_key(heading) in folded:
                found[column.name] = folded.index(search_key(heading))
                break
    is_bare = "name" in found and folded[found["name"]] == "name"
    if is_bare and "first_name" in found and "last_name" not in found:
        found["last_name"] = found.pop("name")  # next to a first name, "Name" is the last name, but "Full name" isn't
    return found


def missing(kind: ImportKind, chosen: Chosen) -> list[tuple[str, str]]:
    """Return what has to be chosen before importing: our column's label and a sentence."""
    has_name = bool(chosen.keys() & {"name", "first_name", "last_name"})
    lacks = []
    if not has_name:
        sentence = _("Choose the column with the full name, or the columns with the first and last names.")
        lacks.append((_("Full name"), sentence))
    if kind == ImportKind.VISITS:
        if "date" not in chosen:
            lacks.append((_("Date"), _("Choose the column with the date.")))
        if "doctor" not in chosen:
            lacks.append((_("Doctor"), _("Choose the column with the doctor.")))
    return lacks


def label(kind: ImportKind, name: str) -> str:
    """Return the label of one of our columns."""
    return next(column.label for column in COLUMNS[kind] if column.name == name)
