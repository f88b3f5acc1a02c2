"""The access matrix by field: who may read which field of a patient, on which kind of surface.

A program that acts as someone reads by the API what is written here for that person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class Surface(StrEnum):
    """Where a field may come out."""

    PAGE = "page"
    SEARCH = "search"
    EXPORT = "export of a history"
    ALL_DATA = "export of all data"
    REPORT = "monthly report"
    PRINT = "day on paper"
    AUDIT = "audit, who looked, earlier versions"
    MESSAGE = "letter, and the message log"
    CALENDAR = "calendar entry"
    API = "API"
    ERROR = "error"
    """A refused form may repeat what its page shows; nothing else may."""


SURFACES: Mapping[str, Surface] = {
    "patients.index": Surface.SEARCH,
    "merging.choose": Surface.SEARCH,
    "waitlist.new": Surface.SEARCH,
    "exports.file": Surface.EXPORT,
    "clinic_exports.file": Surface.ALL_DATA,
    "reports": Surface.REPORT,
    "clinic_reports": Surface.REPORT,
    "day_sheet": Surface.PRINT,
    "audit": Surface.AUDIT,
    "looks": Surface.AUDIT,
    "record_changes": Surface.AUDIT,
    "messages": Surface.MESSAGE,
    "upcoming_reminders": Surface.MESSAGE,
    "call_list": Surface.MESSAGE,
}
"""Endpoints, or blueprints, that are not a plain page."""

Readers = Mapping[Surface, frozenset[str]]

ADMIN = frozenset({"admin"})
DESK = ADMIN | {"receptionist"}
DOCTOR = frozenset({"doctor"})
"""The doctor who treats the patient; another doctor can read nothing."""
STAFF = DESK | DOCTOR
READ_ONLY = frozenset({"doctor, read only"})
"""A doctor's program without the scope `clinical`."""
FAMILY = frozenset({"patient", "guardian"})
RELATED = FAMILY | {"new guardian"}
"""With a guardian whom the desk added, and who still has to wait."""
MAILBOX = frozenset({"mailbox"})
LIVE = RELATED | STAFF

HISTORY: Readers = {Surface.EXPORT: FAMILY | DOCTOR, Surface.ALL_DATA: ADMIN}
EVERYWHERE: Readers = {Surface.PAGE: LIVE, Surface.API: LIVE | READ_ONLY, **HISTORY}
CONTACT: Readers = {**EVERYWHERE, Surface.SEARCH: STAFF, Surface.MESSAGE: DESK}
CLINICAL: Readers = {Surface.PAGE: FAMILY | DOCTOR, Surface.API: FAMILY | DOCTOR, **HISTORY}
IN_REPORTS: Readers = {**CLINICAL, Surface.REPORT: DOCTOR}
CHART: Readers = {**CLINICAL, Surface.PAGE: DOCTOR}
OF_STAFF: Readers = {Surface.PAGE: STAFF, Surface.ALL_DATA: ADMIN}
TOLD: Readers = {Surface.MESSAGE: DESK, Surface.API: FAMILY | DOCTOR, **HISTORY}

READERS: Mapping[str, Readers] = {
    "patients.name": {
        **CONTACT,
        Surface.MESSAGE: DESK | MAILBOX,
        Surface.PRINT: STAFF,
        Surface.REPORT: DOCTOR | ADMIN,
        Surface.AUDIT: LIVE,
    },
    "patients.birth_date": {**CONTACT, Surface.PAGE: STAFF, Surface.PRINT: STAFF, Surface.MESSAGE: frozenset()},
    "patients.phone": {**CONTACT, Surface.PRINT: STAFF},
    "patients.email": {**CONTACT, Surface.CALENDAR: MAILBOX},
    "patients.allergies": CHART,
    "patients.alerts": CHART,
    "consent_changes.address": {Surface.API: FAMILY | DOCTOR, **HISTORY},
    "users.name": {
        Surface.PAGE: DESK | {"patient"},
        Surface.AUDIT: RELATED - {"patient"} | ADMIN,
        Surface.MESSAGE: DESK | MAILBOX,
        Surface.ALL_DATA: ADMIN,
    },
    "users.new_email": {Surface.PAGE: frozenset({"patient"}), Surface.ALL_DATA: ADMIN},
    "users.email": {
        Surface.PAGE: DESK | {"patient"},
        Surface.SEARCH: DESK,
        Surface.MESSAGE: DESK,
        Surface.ALL_DATA: ADMIN,
    },
    "appointments.reason": {**EVERYWHERE, Surface.PRINT: STAFF, Surface.REPORT: DOCTOR},
    "appointments.cancellation_reason": EVERYWHERE,
    "appointments.overbooking_reason": OF_STAFF,
    "treatments.visit_type": IN_REPORTS,
    "treatments.symptoms": CLINICAL,
    "treatments.diagnosis": IN_REPORTS,
    "treatments.treatment": IN_REPORTS,
    "treatments.prescription": CLINICAL,
    "treatments.notes": CLINICAL,
    "treatments.next_visit": CLINICAL,
    "treatment_versions.fields": {Surface.API: FAMILY | DOCTOR, **HISTORY},
    "messages.subject": TOLD,
    "messages.body": TOLD,
    "messages.recipient": {**TOLD, Surface.API: FAMILY | DOCTOR | DESK},
    "messages.last_error": {Surface.MESSAGE: DESK, Surface.API: DESK, Surface.ALL_DATA: ADMIN},
    "messages.answer": {Surface.ALL_DATA: ADMIN},
    "waiting_list.note": OF_STAFF,
    "emergency_accesses.reason": {Surface.AUDIT: ADMIN, Surface.ALL_DATA: ADMIN},
    "legal_holds.reason": {Surface.PAGE: ADMIN, Surface.ALL_DATA: ADMIN},
    "report_versions.reason": {Surface.REPORT: DOCTOR | ADMIN, Surface.ALL_DATA: ADMIN},
    "audit_details.changes:phone": {Surface.AUDIT: STAFF, Surface.ALL_DATA: ADMIN},
    "audit_details.changes:allergies": {Surface.AUDIT: DOCTOR, Surface.ALL_DATA: ADMIN},
    "audit_details.changes:diagnosis": {Surface.AUDIT: DOCTOR, Surface.ALL_DATA: ADMIN},
}
"""`table.column` -> surface -> who may read it there; behind a colon, which part of a column that holds several."""

DERIVED: Mapping[str, str] = {
    "patients.given_name": "part of the name; read where the name is",
    "patients.folded_name": "the name as it is searched",
    "users.new_email_of": "numbers of records",
    **{f"{table}.email_key": "the address as it is compared" for table in ("patients", "users")},
    **{f"{table}.email_form": "how the address came to be written" for table in ("patients", "users")},
    "reports.content": "the fields above, as of a month",
    "report_versions.content": "the same, earlier",
    "audit.subject": "names a row by its number",
    "messages.about": "the same",
}
"""Columns whose content is that of others."""

PLAIN = frozenset(
    {
        *(
            "patients.imported_line",
            "patients.language",
            "patients.preferred_channel",
            "users.language",
            "users.role",
            "visit_types.name",
        ),
        *("doctors.name", "doctors.department", "hours_exceptions.kind", "hours_exceptions.first_day"),
        *("hours_exceptions.last_day", "hours_exceptions.note", "doctor_hours.valid_from", "doctor_hours.valid_until"),
        *("appointments.local_start", "appointments.zone", "appointments.status", "appointments.cancelled_by"),
        *("appointments.calendar_uid", "move_proposals.times", "waiting_list.weekdays", "waiting_list.part"),
        *("messages.rule", "messages.event", "messages.channel", "messages.language", "messages.status"),
        *("messages.skip_reason", "messages.owner", "consent_changes.channel", "consent_changes.via"),
        *("exports.id", "exports.format", "exports.status", "exports.owner", "exports.last_error"),
        *("reports.month", "report_versions.month", "clinic_reports.month", "clinic_reports.content"),
        *("audit.role", "audit.address", "audit.act", "audit.digest", "audit.seal", "audit_details.salt"),
        *("audit_head.seal", "installation.clinic_id", "installation.served_at", "installation.zone"),
        *("installation.zone_rules", "installation.folded_by", "installation.zone_at_instants"),
        *("job_runs.job", "job_runs.slot", "job_runs.status", "job_runs.trigger", "job_runs.owner"),
        *("job_runs.outcome", "job_runs.last_error", "zone_changes.zone_before", "zone_changes.zone_after"),
        "zone_changes.problems",
    }
)
"""Columns that hold no words of or about one patient."""


@dataclass(frozen=True)
class Mark:
    """What stands in a field during the walk, and how it may be written where it comes out."""

    value: Any
    written: tuple[str, ...]


def _word(number: int) -> Mark:
    return Mark(f"mk{number:02}q", (f"mk{number:02}q", f"Mk{number:02}q"))


MARKS: Mapping[str, Mark] = {
    **{name: _word(number) for number, name in enumerate(READERS)},
    "patients.name": Mark("Mk90q Ahorn", ("Mk90q",)),
    "patients.birth_date": Mark(date(1937, 3, 29), ("1937-03-29", "29 March 1937", "29 Mar 1937")),
    "patients.phone": Mark("+49308877001", ("8877001",)),
    "patients.email": Mark("mk91q@mail.example", ("mk91q",)),
    "users.name": Mark("Mk92q Ahorn", ("Mk92q",)),
    "users.new_email": Mark("mk96q@mail.example", ("mk96q",)),
    "users.email": Mark("mk93q@mail.example", ("mk93q",)),
    "consent_changes.address": Mark("mk95q@mail.example", ("mk95q",)),
    "messages.recipient": Mark("mk94q@mail.example", ("mk94q",)),
    "treatments.next_visit": Mark(date(2031, 7, 17), ("2031-07-17", "17 July 2031", "17 Jul 2031")),
}
