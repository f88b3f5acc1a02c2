"""Which column of a file is which of ours: known by its name in English or German, or chosen by a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.language.translation import gettext as _
from service.storage.folding import fold


class ImportKind(StrEnum):
    """What the lines of a file are."""

    PATIENTS = "patients"
    DOCTORS = "doctors"
    VISITS = "visits"


Chosen = Mapping[str, int]
"""Our column -> the number of the file's column, counted from 0."""


@dataclass(frozen=True)
class Column:
    """Something we can take from a file."""

    name: str
    label: str
    known_as: str
    """The headings that other programs give it, the preferred ones first."""


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
        Column("name", _("Full name"), NAME),
        Column("first_name", _("First name"), FIRST_NAME),
        Column("last_name", _("Last name"), LAST_NAME),
        Column("birth_date", _("Birth date"), BIRTH_DATE),
        Column("mobile", _("Mobile phone"), MOBILE),
        Column("phone", _("Phone"), PHONE),
        Column("email", _("E-mail"), EMAIL),
    ),
    ImportKind.DOCTORS: (
        Column("title", _("Title"), "title, titel, akademischer titel"),
        Column("name", _("Full name"), NAME),
        Column("first_name", _("First name"), FIRST_NAME),
        Column("last_name", _("Last name"), LAST_NAME),
        Column("department", _("Department"), DEPARTMENT),
    ),
    ImportKind.VISITS: (
        Column("date", _("Date"), DATE),
        Column("time", _("Time"), TIME),
        Column("minutes", _("Minutes"), MINUTES),
        Column("doctor", _("Doctor"), DOCTOR),
        Column("name", _("Patient"), f"patient, patient name, patientin, patientenname, {NAME}"),
        Column("first_name", _("Patient's first name"), FIRST_NAME),
        Column("last_name", _("Patient's last name"), LAST_NAME),
        Column("birth_date", _("Patient's birth date"), BIRTH_DATE),
        Column("reason", _("Reason"), REASON),
    ),
}


def guessed(kind: ImportKind, header: Sequence[str]) -> dict[str, int]:
    """The columns that tell by their heading what they are; a heading that stands twice counts once."""
    folded = [fold(heading) for heading in header]
    found = {}
    for column in COLUMNS[kind]:
        for heading in column.known_as.split(", "):
            if fold(heading) in folded:
                found[column.name] = folded.index(fold(heading))
                break
    is_bare = "name" in found and folded[found["name"]] == "name"
    if is_bare and "first_name" in found and "last_name" not in found:
        found["last_name"] = found.pop("name")  # beside a first name, "Name" is the family's, "Full name" is not
    return found


def missing(kind: ImportKind, chosen: Chosen) -> list[tuple[str, str]]:
    """What has to be chosen before anything can be taken over: our column's label and a sentence."""
    has_name = bool(chosen.keys() & {"name", "first_name", "last_name"})
    lacks = [] if has_name else [(_("Full name"), _("Choose the column of the name, or of first and last name."))]
    if kind == ImportKind.VISITS:
        if "date" not in chosen:
            lacks.append((_("Date"), _("Choose the column of the date.")))
        if "doctor" not in chosen:
            lacks.append((_("Doctor"), _("Choose the column of the doctor.")))
    return lacks


def label(kind: ImportKind, name: str) -> str:
    """What people call one of our columns."""
    return next(column.label for column in COLUMNS[kind] if column.name == name)
