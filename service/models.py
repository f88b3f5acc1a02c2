"""All tables on one page; no rules.

Times are UTC: aware in Python, text in SQLite, timestamptz in PostgreSQL. A `version` column stands
where two people may edit the same row.
"""

from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    Time,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from service.folding import fold


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: only aware values in, aware UTC values out, whichever the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


SECRET = {"secret": True}
"""Marks a column, or a table, that lets somebody in: it leaves the clinic in no export (domain/clinic_zip.py)."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        time: Time(),
        int: BigInteger().with_variant(Integer(), "sqlite"),
    }


def _no_overlap(whose: str) -> ExcludeConstraint:
    """PostgreSQL's own refusal of two visits at once; needs the extension btree_gist."""
    return ExcludeConstraint(
        (text(whose), "="),
        (text("tstzrange(starts_at, ends_at)"), "&&"),
        where=text("status IN ('booked', 'arrived', 'completed') AND NOT overbooked"),
        name=f"ex_appointments_{whose}",
    ).ddl_if("postgresql")


def _folded(context: DefaultExecutionContext) -> str:
    """The search text of a new row, from its name."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return fold(values["name"])


def _one_of(column: str, *values: str) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _one_unfinished(name: str, column: str, of: str = "") -> Index:
    """At most one export of a kind is under way."""
    where = text(f"status IN ('pending', 'running'){of}")
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


class Installation(Base):
    """The one row about this database itself."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    demo_at: Mapped[datetime | None]
    """When a demo clinic was filled in: the demo mark."""
    served_at: Mapped[str | None] = mapped_column(Text)
    """The address of the running service, for the message a second one prints."""


class User(Base):
    """Someone who signs in. Ids are never used again."""

    __tablename__ = "users"
    __table_args__ = (
        _one_of("role", "admin", "receptionist", "doctor", "patient"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Folded to lower case."""
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(200), info=SECRET)
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class UserToken(Base):
    """A link mailed or handed to a user: only its hash rests here, and it works once."""

    __tablename__ = "user_tokens"
    __table_args__ = (_one_of("purpose", "invite"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignIn(Base):
    """A sign-in session: it ends on the server, whatever cookie a browser keeps."""

    __tablename__ = "sessions"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str | None] = mapped_column(String(45))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Failure(Base):
    """One failed attempt under a throttling key (an account, an address)."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "key", "failed_at"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    failed_at: Mapped[datetime]


class Doctor(Base):
    __tablename__ = "doctors"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    department: Mapped[str] = mapped_column(String(100), default="", server_default="")
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class Patient(Base):
    """A person with a record, who may have no account and no address."""

    __tablename__ = "patients"
    __table_args__ = (Index(None, "folded_name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    birth_date: Mapped[date | None]
    email: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(20))
    """E.164."""
    folded_name: Mapped[str] = mapped_column(String(600), default=_folded, server_default="")
    """What a search by name compares; whoever changes the name changes this too."""
    allergies: Mapped[str] = mapped_column(Text, default="", server_default="")
    alerts: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What everybody who treats this person has to know first."""
    registered_at: Mapped[datetime | None]
    """When they registered themselves; None again once reception has confirmed them."""
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """The same person's record that this one's visits went to."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class Guardian(Base):
    """Which user acts for which patient: their own record, a child's, a parent's."""

    __tablename__ = "guardians"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]


class VisitType(Base):
    """A kind of visit: how long it takes, and whether patients book it themselves."""

    __tablename__ = "visit_types"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    minutes: Mapped[int]
    colour: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """One of the eight colours of the style, 0 to 7."""
    online: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class DoctorHours(Base):
    """A block of a doctor's week, on the clinic's wall clock; free times are computed from it, never stored."""

    __tablename__ = "doctor_hours"
    __table_args__ = (CheckConstraint("ends > starts", name="ends_after_start"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"), index=True)
    weekday: Mapped[int]
    """0 is Monday."""
    starts: Mapped[time]
    ends: Mapped[time]
    slot_minutes: Mapped[int]
    valid_from: Mapped[date | None]
    valid_until: Mapped[date | None]
    """The last day on which it counts."""


class HoursException(Base):
    """Days on which the week does not hold: time off, a holiday of the whole clinic, extra hours."""

    __tablename__ = "hours_exceptions"
    __table_args__ = (
        _one_of("kind", "off", "extra"),
        CheckConstraint("last_day >= first_day", name="last_after_first"),
        Index(None, "last_day"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: the whole clinic is closed."""
    kind: Mapped[str] = mapped_column(String(20))
    first_day: Mapped[date]
    last_day: Mapped[date]
    starts: Mapped[time | None]
    ends: Mapped[time | None]
    """Without times the whole of each day."""
    slot_minutes: Mapped[int | None]
    """For extra hours."""
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor | None] = relationship(lazy="raise")


class Appointment(Base):
    """A visit. No two that take place overlap for a doctor or a patient, unless one is overbooked on purpose.

    The database refuses an overlap by itself too: by the constraints below, on SQLite by triggers (migration 0002).
    """

    __tablename__ = "appointments"
    __table_args__ = (
        _one_of("status", "booked", "arrived", "completed", "cancelled", "no_show"),
        _one_of("cancelled_by", "patient", "clinic"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        # What the overlap trigger of SQLite relies on to look at a few rows only.
        CheckConstraint(
            "ends_at <= strftime('%Y-%m-%d %H:%M:%S', starts_at, '+12 hours') || '.999999'", name="at_most_12_hours"
        ).ddl_if("sqlite"),
        CheckConstraint("ends_at <= starts_at + interval '12 hours'", name="at_most_12_hours").ddl_if("postgresql"),
        _no_overlap("doctor_id"),
        _no_overlap("patient_id"),
        Index(None, "doctor_id", "starts_at"),
        Index(None, "patient_id", "starts_at"),
        Index(None, "starts_at", "status"),
        Index(None, "status", "starts_at"),
        Index(None, "rescheduled_from_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(20), default="booked", server_default="booked")
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    confirmed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None] = mapped_column(String(20))
    cancellation_reason: Mapped[str | None] = mapped_column(String(200))
    cancelled_late: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether it was called off after the clinic's cut-off."""
    ended_at: Mapped[datetime | None]
    """When somebody said that it was completed, or that the patient did not come."""
    rescheduled_from_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    rescheduled_at: Mapped[datetime | None]
    """Set on the visit that was moved: another row stands in its place."""
    visit_type_id: Mapped[int | None] = mapped_column(ForeignKey("visit_types.id"))
    series_id: Mapped[int | None]
    """The id of the first visit of a series, on all of its visits."""
    overbooked: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    overbooking_reason: Mapped[str | None] = mapped_column(String(200))
    booked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None where it was taken over from another program."""
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    doctor: Mapped[Doctor] = relationship(lazy="raise")
    patient: Mapped[Patient] = relationship(lazy="raise")
    visit_type: Mapped[VisitType | None] = relationship(lazy="raise")

    __mapper_args__ = {"version_id_col": version}


class MoveProposal(Base):
    """A visit that fell into time off, marked for a message that proposes other times."""

    __tablename__ = "move_proposals"

    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id"), primary_key=True)
    times: Mapped[dict[str, Any]]
    """`{"times": [{"doctor_id": 1, "starts_at": "…Z"}, …]}`, in UTC."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]


class WaitingEntry(Base):
    """Somebody who would come sooner, and when they could."""

    __tablename__ = "waiting_list"
    __table_args__ = (
        _one_of("part", "any", "morning", "afternoon", "evening"),
        Index(None, "closed_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: any doctor."""
    visit_type_id: Mapped[int | None] = mapped_column(ForeignKey("visit_types.id"))
    weekdays: Mapped[str] = mapped_column(String(7), default="0123456", server_default="0123456")
    """The days that suit, as digits: 0 is Monday."""
    part: Mapped[str] = mapped_column(String(20), default="any", server_default="any")
    urgent: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    note: Mapped[str] = mapped_column(String(200), default="", server_default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    """The visit that came of it."""

    patient: Mapped[Patient] = relationship(lazy="raise")
    doctor: Mapped[Doctor | None] = relationship(lazy="raise")
    visit_type: Mapped[VisitType | None] = relationship(lazy="raise")


class Offer(Base):
    """A time offered to somebody on the waiting list, held for them until it expires."""

    __tablename__ = "offers"
    __table_args__ = (Index(None, "doctor_id", "starts_at"), Index(None, "waiting_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    waiting_id: Mapped[int] = mapped_column(ForeignKey("waiting_list.id"))
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    """When it was taken or given back."""
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    entry: Mapped[WaitingEntry] = relationship(lazy="raise")


class Treatment(Base):
    """What was found and done at one visit; earlier versions are kept beside it."""

    __tablename__ = "treatments"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id"), unique=True)
    visit_type: Mapped[str] = mapped_column(String(60), default="", server_default="")
    symptoms: Mapped[str] = mapped_column(Text, default="", server_default="")
    diagnosis: Mapped[str] = mapped_column(Text, default="", server_default="")
    treatment: Mapped[str] = mapped_column(Text, default="", server_default="")
    prescription: Mapped[str] = mapped_column(Text, default="", server_default="")
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    next_visit: Mapped[date | None]
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    appointment: Mapped[Appointment] = relationship(lazy="raise")

    __mapper_args__ = {"version_id_col": version}


class TreatmentVersion(Base):
    """A treatment as it stood before a correction."""

    __tablename__ = "treatment_versions"
    __table_args__ = (UniqueConstraint("treatment_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    treatment_id: Mapped[int] = mapped_column(ForeignKey("treatments.id"))
    version: Mapped[int]
    fields: Mapped[dict[str, Any]]
    recorded_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    replaced_at: Mapped[datetime]


class Message(Base):
    """The outbox: one row per (appointment, start time, rule, channel), written before anything is sent."""

    __tablename__ = "messages"
    __table_args__ = (
        _one_of("status", "queued", "sending", "handing_over", "sent", "failed", "unknown", "skipped"),
        UniqueConstraint("appointment_id", "starts_at", "rule", "channel"),
        Index(None, "status", "due_at"),
        Index(None, "rule", "starts_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    appointment_id: Mapped[int] = mapped_column(ForeignKey("appointments.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    starts_at: Mapped[datetime]
    rule: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(20))
    recipient: Mapped[str | None] = mapped_column(String(254))
    status: Mapped[str] = mapped_column(String(20), default="queued", server_default="queued")
    skip_reason: Mapped[str | None] = mapped_column(String(20))
    covered_by: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    """The message that already lists this visit (skip_reason `duplicate`)."""
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Report(Base):
    """A doctor's month, kept with the figures as of the run."""

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("doctor_id", "month"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    month: Mapped[str] = mapped_column(String(7))
    """`YYYY-MM`: the month the report is about, in the clinic's zone."""
    visits: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many visits the content lists, so that the archive need not read it."""
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor] = relationship(lazy="raise")


class Export(Base):
    """A patient's history, or the whole clinic, as a file; the row is its own ledger."""

    __tablename__ = "exports"
    __table_args__ = (
        _one_of("status", "pending", "running", "available", "expired", "failed", "cancelled"),
        _one_of("format", "csv", "json", "zip"),
        _one_unfinished("uq_exports_one_unfinished", "patient_id"),
        # Of the whole clinic: always a zip, so that the format can stand for "one".
        _one_unfinished("uq_exports_one_unfinished_clinic", "format", " AND patient_id IS NULL"),
        Index(None, "patient_id", "created_at"),
        Index(None, "status", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """128 random bits, in hexadecimal."""
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """None: the whole clinic."""
    requested_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    format: Mapped[str] = mapped_column(String(10), default="csv", server_default="csv")
    with_visits: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    with_messages: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    status: Mapped[str] = mapped_column(String(20), default="pending", server_default="pending")
    rows_done: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    rows_total: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    """When the latest attempt began."""
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    """When somebody took the finished file away before its time."""
    downloads: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often it was downloaded from its beginning on."""
    downloaded_at: Mapped[datetime | None]


class JobRun(Base):
    """The scheduler of record: which slot of which job was opened, by what, and how it ended."""

    __tablename__ = "job_runs"
    __table_args__ = (
        _one_of("status", "queued", "running", "done", "failed", "skipped"),
        _one_of("trigger", "schedule", "catchup", "manual"),
        UniqueConstraint("job", "slot"),
        Index(None, "status", "lease_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(40))
    slot: Mapped[str] = mapped_column(String(60))
    status: Mapped[str] = mapped_column(String(20), default="queued", server_default="queued")
    trigger: Mapped[str] = mapped_column(String(20))
    attempt: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    outcome: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    last_error: Mapped[str | None] = mapped_column(Text)


class AuditEntry(Base):
    """Who did what to whose record, from where."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "patient_id", "at"), Index(None, "subject"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(String(20))
    address: Mapped[str | None] = mapped_column(String(45))
    act: Mapped[str] = mapped_column(String(60))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    subject: Mapped[str | None] = mapped_column(String(80))
