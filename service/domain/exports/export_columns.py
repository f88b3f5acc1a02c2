"""The columns of a history: the source of headers, of the README in a ZIP, and of docs/export.md.

history_csv.py has the values in the same order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.domain.patients import whole_person
from service.language.translation import lazy_gettext as _l


@dataclass(frozen=True)
class Column:
    """A column: its title in CSV, its key in JSON (either may be empty), and its meaning."""

    title: str
    key: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of a history: `name`.csv in a ZIP, and a list under its name in JSON."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """The CSV header."""
        return tuple(column.title for column in self.columns if column.title)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of a row in JSON."""
        return tuple(column.key for column in self.columns if column.key)


PATIENT = tuple(
    Column("", name, rule.exported) for name, rule in whole_person.COLUMNS.items() if isinstance(rule.exported, str)
)
"""The object `patient` in JSON."""

TREATMENTS = Table(
    "treatments",
    _l("What was found and done at each appointment; newest first."),
    (
        Column("", "id", _l("ID of the treatment")),
        Column("", "appointment_id", _l("ID of the appointment")),
        Column("Patient ID", "", _l("number of the patient's record at this clinic")),
        Column("Patient Name", "", _l("name of the patient")),
        Column("", "doctor_id", _l("ID of the doctor")),
        Column("Doctor Name", "doctor_name", _l("name of the doctor who treated the patient")),
        Column("", "department", _l("the doctor's department")),
        Column("Appointment Date", "starts_at", _l("when the appointment started")),
        Column("", "ends_at", _l("when it was due to end")),
        Column("Visit Type", "visit_type", _l("appointment type, in the doctor's words")),
        Column("Symptoms", "symptoms", _l("the patient's symptoms")),
        Column("Diagnosis", "diagnosis", _l("what the doctor found")),
        Column("Treatment", "treatment", _l("what was done")),
        Column("Prescription", "prescription", _l("what was prescribed")),
        Column("Notes", "notes", _l("further notes")),
        Column("Next Visit", "next_visit", _l("day of the next appointment; empty or null if none was agreed")),
        Column("", "recorded_by_id", _l("ID of the user who recorded it, or null")),
        Column("", "created_at", _l("when it was first recorded")),
        Column("", "updated_at", _l("when it was last changed")),
        Column("", "version", _l("version number: 1, and one more with each correction")),
        Column("", "earlier_versions", _l("what it said before each correction: version, fields, replaced_at")),
    ),
)

CONSENT = Table(
    "consent",
    _l("Each time messages were allowed or refused; newest first."),
    (
        Column("Channel", "channel", _l("channel of the messages: email or sms")),
        Column("Allowed", "allowed", _l("true or false, from then on")),
        Column(
            "Said",
            "via",
            _l("at the desk, in the account, by a link, earlier for the same address, or by a merge"),
        ),
        Column("Address", "address", _l("the address or number it applies to; empty or null if none was known")),
        Column("Changed", "changed_at", _l("when it was said")),
    ),
)

VISITS = Table(
    "visits",
    _l("All appointments, including upcoming, rescheduled, and canceled ones; newest first."),
    (
        Column("Visit ID", "id", _l("ID of the appointment")),
        Column("Doctor Name", "doctor_name", _l("name of the doctor")),
        Column("Department", "department", _l("the doctor's department")),
        Column("Starts", "starts_at", _l("when it starts")),
        Column("Ends", "ends_at", _l("when it ends")),
        Column("Status", "status", _l("booked, arrived, completed, cancelled or no_show")),
        Column("Visit Type", "visit_type", _l("appointment type that was booked; empty or null if none was chosen")),
        Column("Reason", "reason", _l("the reason that was given")),
        Column("Booked", "created_at", _l("when it was booked")),
        Column("Confirmed", "confirmed_at", _l("when it was confirmed")),
        Column("Arrived", "arrived_at", _l("when the patient arrived")),
        Column("Ended", "ended_at", _l("when the clinic marked it completed or a no-show")),
        Column("Cancelled", "cancelled_at", _l("when it was canceled")),
        Column("Cancelled By", "cancelled_by", _l("patient or clinic")),
        Column("Cancellation Reason", "cancellation_reason", _l("the reason that was given for canceling")),
        Column("Moved", "rescheduled_at", _l("when it was rescheduled; another appointment took its place")),
        Column("Moved From", "rescheduled_from_id", _l("ID of the appointment it was rescheduled from")),
    ),
)

MESSAGES = Table(
    "messages",
    _l("All messages from the clinic to the patient, including those that were not sent; newest first."),
    (
        Column("Message ID", "id", _l("ID of the message")),
        Column("Visit ID", "appointment_id", _l("ID of the appointment it is about")),
        Column("Appointment Date", "starts_at", _l("when that appointment starts, according to the message")),
        Column("Rule", "rule", _l("why it was written, such as daily_reminder")),
        Column("Channel", "channel", _l("the channel, such as email")),
        Column("Recipient", "recipient", _l("the address it went to")),
        Column("Status", "status", _l("queued, sending, handing_over, sent, failed, unknown or skipped")),
        Column("Skip Reason", "skip_reason", _l("why it was not sent")),
        Column("Subject", "subject", _l("its subject")),
        Column("Text", "body", _l("its text")),
        Column("Written", "created_at", _l("when it was queued")),
        Column("Sent", "sent_at", _l("when it was sent")),
    ),
)


def chosen(*, visits: bool, messages: bool) -> tuple[Table, ...]:
    """Return the tables of a history: treatments, consent, and what was asked for."""
    return (TREATMENTS, CONSENT, *([VISITS] if visits else []), *([MESSAGES] if messages else []))


def csv_lines(table: Table) -> Iterator[str]:
    """List the CSV columns of a table, one per line."""
    return _lines((column.title, column.meaning) for column in table.columns if column.title)


def json_lines(columns: Sequence[Column]) -> Iterator[str]:
    """List the JSON keys of a row, one per line."""
    return _lines((column.key, column.meaning) for column in columns if column.key)


def _lines(pairs: Iterator[tuple[str, str]]) -> Iterator[str]:
    return (f"- {name}: {meaning}" for name, meaning in pairs)
