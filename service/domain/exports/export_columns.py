"""What a history holds, column by column: the one source of headers, of the README in a zip, and of docs/export.md.

The CSV's values stand in the same order in history_csv.py, which reads them by their place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.domain.patients import whole_person
from service.language.translation import gettext as _


@dataclass(frozen=True)
class Column:
    """One column: its title in CSV and its key in JSON, either of which may be missing, and what it means."""

    title: str
    key: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table of a history: `name`.csv in a zip, and a list under its name in JSON."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """The header of its CSV."""
        return tuple(column.title for column in self.columns if column.title)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of its rows in JSON."""
        return tuple(column.key for column in self.columns if column.key)


PATIENT = tuple(
    Column("", name, rule.exported) for name, rule in whole_person.COLUMNS.items() if isinstance(rule.exported, str)
)
"""The object `patient` of the JSON."""

TREATMENTS = Table(
    "treatments",
    _("What was found and done at each visit; newest first."),
    (
        Column("", "id", _("number of the treatment")),
        Column("", "appointment_id", _("number of the visit")),
        Column("Patient ID", "", _("number of the patient's record at this clinic")),
        Column("Patient Name", "", _("name of the patient")),
        Column("", "doctor_id", _("number of the doctor")),
        Column("Doctor Name", "doctor_name", _("who treated")),
        Column("", "department", _("the doctor's department")),
        Column("Appointment Date", "starts_at", _("when the visit began")),
        Column("", "ends_at", _("when it was to end")),
        Column("Visit Type", "visit_type", _("kind of visit, in the doctor's words")),
        Column("Symptoms", "symptoms", _("what the patient came with")),
        Column("Diagnosis", "diagnosis", _("what the doctor found")),
        Column("Treatment", "treatment", _("what was done")),
        Column("Prescription", "prescription", _("what was prescribed")),
        Column("Notes", "notes", _("further notes")),
        Column("Next Visit", "next_visit", _("day of the next visit; empty or null when none was agreed")),
        Column("", "recorded_by_id", _("number of the user who wrote it down, or null")),
        Column("", "created_at", _("when it was first written down")),
        Column("", "updated_at", _("when it was last changed")),
        Column("", "version", _("how often it was written: 1, or one more with each correction")),
        Column("", "earlier_versions", _("how it stood before each correction: version, fields, replaced_at")),
    ),
)

CONSENT = Table(
    "consent",
    _("Each time messages were allowed or refused; newest first."),
    (
        Column("Channel", "channel", _("the way of the messages: email or sms")),
        Column("Allowed", "allowed", _("true or false, from then on")),
        Column("Said", "via", _("at the desk, in the account, by a link, for the same address before, or by a merge")),
        Column("Address", "address", _("the address or number it was said of; empty or null where none was known")),
        Column("Changed", "changed_at", _("when that was")),
    ),
)

VISITS = Table(
    "visits",
    _("All visits, also those ahead, moved or called off; newest first."),
    (
        Column("Visit ID", "id", _("number of the visit")),
        Column("Doctor Name", "doctor_name", _("the doctor")),
        Column("Department", "department", _("the doctor's department")),
        Column("Starts", "starts_at", _("when it begins")),
        Column("Ends", "ends_at", _("when it ends")),
        Column("Status", "status", _("booked, arrived, completed, cancelled or no_show")),
        Column("Visit Type", "visit_type", _("kind of visit that was booked; empty or null when none was chosen")),
        Column("Reason", "reason", _("what was given as the reason")),
        Column("Booked", "created_at", _("when it was booked")),
        Column("Confirmed", "confirmed_at", _("when it was confirmed")),
        Column("Arrived", "arrived_at", _("when the patient arrived")),
        Column("Ended", "ended_at", _("when the clinic noted that it was completed, or that nobody came")),
        Column("Cancelled", "cancelled_at", _("when it was called off")),
        Column("Cancelled By", "cancelled_by", _("patient or clinic")),
        Column("Cancellation Reason", "cancellation_reason", _("what was given as the reason for that")),
        Column("Moved", "rescheduled_at", _("when it was moved: another visit stands in its place")),
        Column("Moved From", "rescheduled_from_id", _("number of the visit it was moved from")),
    ),
)

MESSAGES = Table(
    "messages",
    _("All messages of the clinic to the patient, also those that were not sent; newest first."),
    (
        Column("Message ID", "id", _("number of the message")),
        Column("Visit ID", "appointment_id", _("number of the visit it is about")),
        Column("Appointment Date", "starts_at", _("when that visit began, as the message had it")),
        Column("Rule", "rule", _("why it was written, such as daily_reminder")),
        Column("Channel", "channel", _("the way it went, such as email")),
        Column("Recipient", "recipient", _("the address it went to")),
        Column("Status", "status", _("queued, sending, handing_over, sent, failed, unknown or skipped")),
        Column("Skip Reason", "skip_reason", _("why it was not sent")),
        Column("Subject", "subject", _("its first line")),
        Column("Text", "body", _("its text")),
        Column("Written", "created_at", _("when it was put into the outbox")),
        Column("Sent", "sent_at", _("when it was handed over")),
    ),
)


def chosen(*, visits: bool, messages: bool) -> tuple[Table, ...]:
    """The tables of a history with what was asked for besides treatments and consent."""
    return (TREATMENTS, CONSENT, *([VISITS] if visits else []), *([MESSAGES] if messages else []))


def csv_lines(table: Table) -> Iterator[str]:
    """The columns of a table's CSV, one a line."""
    return _lines((column.title, column.meaning) for column in table.columns if column.title)


def json_lines(columns: Sequence[Column]) -> Iterator[str]:
    """The keys of a row in JSON, one a line."""
    return _lines((column.key, column.meaning) for column in columns if column.key)


def _lines(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    return (f"- {name}: {meaning}" for name, meaning in pairs)
