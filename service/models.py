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
    messages_paused_at: Mapped[datetime | None]
    """Since when all messages wait because somebody pressed *Pause*."""
    ticked_at: Mapped[datetime | None]
    """When the scheduler ticked last: its heartbeat."""
    checked_at: Mapped[datetime | None]
    """When somebody last asked whether the service is ready, which writes this."""


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
    password_is_short: Mapped[bool] = mapped_column(default=False, server_default=text("false"), info=SECRET)
    """Whether the password may only stand beside a second factor."""
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class UserToken(Base):
    """A link mailed or handed to a user: only its hash rests here, and it works once."""

    __tablename__ = "user_tokens"
    __table_args__ = (_one_of("purpose", "invite", "password_reset", "sign_in"), {"info": SECRET})

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
    browser: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """What it was opened with, in words: `Firefox on Windows`."""
    awaits_code: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The password was right and the code of the second factor is still missing: it opens nothing yet."""
    proven_at: Mapped[datetime | None]
    """When the person last gave their password in this session."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ApiToken(Base):
    """What another program shows to act as a user, within its scopes: only its hash rests here."""

    __tablename__ = "api_tokens"
    __table_args__ = {"info": SECRET, "sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(String(60))
    """Which program has it."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(60))
    """`read`, `book`, `clinical`, those it has with blanks between."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """An act of the API that was done under a key of the caller's, and its answer: asked again, it is given again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("token_id", "key"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id"))
    key: Mapped[str] = mapped_column(String(100))
    request_hash: Mapped[str] = mapped_column(String(64))
    """Of the route and the body: another request under the same key is refused."""
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class SecondFactor(Base):
    """The authenticator app of a user. Its secret is derived from the salt and the key file, and stored nowhere."""

    __tablename__ = "second_factors"
    __table_args__ = {"info": SECRET}

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(64))
    last_counter: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The time step of the last code that was accepted: neither it nor an earlier one counts again."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When a first code proved that the app has the secret; until then it is not asked for."""


class RecoveryCode(Base):
    """A code for the day the telephone is lost: only its hash rests here, and it works once."""

    __tablename__ = "recovery_codes"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class UnsentForm(Base):
    """A form that was sent after the session had ended: its user gets it back after signing in, within the hour."""

    __tablename__ = "unsent_forms"
    __table_args__ = (UniqueConstraint("user_id", "path"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    path: Mapped[str] = mapped_column(String(500))
    """Where it was sent to."""
    fields: Mapped[dict[str, Any]]
    """Name -> its values."""
    kept_at: Mapped[datetime]


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
    language: Mapped[str | None] = mapped_column(String(8))
    """Of the messages to this person; None: the clinic's."""
    preferred_channel: Mapped[str] = mapped_column(String(20), default="email", server_default="email")
    """`email` or `sms`: which is tried first."""
    email_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    sms_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """What they have agreed to; each change is a row of consent_changes."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    """When all that tells who this was, and what was found, went for good; the row keeps a pseudonym."""
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
    """The outbox: written in the transaction of what caused it, before anything is sent.

    About a visit there is one row per (appointment, start time, rule, channel); a moved visit is a new one.
    """

    __tablename__ = "messages"
    __table_args__ = (
        _one_of("status", "queued", "sending", "handing_over", "sent", "failed", "unknown", "skipped"),
        UniqueConstraint("appointment_id", "starts_at", "rule", "channel"),
        Index(None, "status", "starts_at", "due_at"),
        Index(None, "status", "id"),
        Index(None, "rule", "starts_at"),
        Index(None, "rule", "id"),
        Index(None, "patient_id", "created_at"),
        Index(None, "recipient"),
        Index(None, "about"),
        Index(None, "covered_by"),
        Index(None, "recipient", "rule", "starts_at"),
        Index(
            "ix_messages_with_text",
            "created_at",
            sqlite_where=text("body IS NOT NULL OR recipient IS NOT NULL"),
            postgresql_where=text("body IS NOT NULL OR recipient IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(String(40))
    """What is said, which is also the template's name: `daily_reminder`, `booking_confirmation` …"""
    event: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """What caused it: `schedule`, `appointment.book` …, in the audit's words."""
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    starts_at: Mapped[datetime | None]
    """The start of the visit the message is about, as it was when the message was written."""
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """Who it is for, when that is somebody who signs in."""
    about: Mapped[str | None] = mapped_column(String(60))
    """The row it is about when that is no visit: `export/ab12`, `offer/3`, `report/7`."""
    channel: Mapped[str] = mapped_column(String(20))
    """`email` or `sms`; `console` where e-mail is not set up."""
    recipient: Mapped[str | None] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """Empty: the clinic's."""
    status: Mapped[str] = mapped_column(String(20), default="queued", server_default="queued")
    skip_reason: Mapped[str | None] = mapped_column(String(20))
    covered_by: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    """The message that already lists this visit (skip_reason `duplicate`)."""
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    """The text, written when it is sent and kept with `[link]` for each link; emptied when its time is over."""
    edited_at: Mapped[datetime | None]
    """When somebody wrote subject and body beforehand: they are kept, only the links are filled in."""
    due_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    """Since when this one waits because somebody holds it back."""
    released_at: Mapped[datetime | None]
    """When somebody let it go although all messages are paused."""
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(String(500))
    """What the mail server or the gateway answered when it took the message, with its id where it gave one."""
    unsure_at: Mapped[datetime | None]
    """When it first happened that nobody knew whether the message had arrived."""
    phoned_at: Mapped[datetime | None]
    """When the desk told the patient by telephone instead."""
    phoned_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class MessageLink(Base):
    """What a link in a message lets its holder do without signing in: only the token's hash rests here."""

    __tablename__ = "message_links"
    __table_args__ = (_one_of("purpose", "visit", "offer", "contact"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(String(20))
    """`visit`: confirm, cancel, move; `offer`: take a held time; `contact`: which messages they want."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ConsentChange(Base):
    """When a patient's agreement to a channel changed, who changed it, and by which way."""

    __tablename__ = "consent_changes"
    __table_args__ = (_one_of("via", "desk", "account", "link"), Index(None, "patient_id", "changed_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    channel: Mapped[str] = mapped_column(String(20))
    allowed: Mapped[bool]
    via: Mapped[str] = mapped_column(String(20))
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None: by a link, without signing in."""
    changed_at: Mapped[datetime]


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


class ClinicReport(Base):
    """The whole clinic's month, kept with the figures as of the run."""

    __tablename__ = "clinic_reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(String(7), unique=True)
    visits: Mapped[int]
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    created_at: Mapped[datetime]


class ReportVersion(Base):
    """A report as it stood before it was made again on purpose."""

    __tablename__ = "report_versions"
    __table_args__ = (Index(None, "doctor_id", "month"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: the clinic's report."""
    month: Mapped[str] = mapped_column(String(7))
    content: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    created_at: Mapped[datetime]
    """When this version was made."""
    replaced_at: Mapped[datetime]
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(String(200))

    replaced_by: Mapped[User | None] = relationship(lazy="raise")


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
    """Who did what to whose record, from where. Only ever appended to: the database refuses anything else.

    Written by domain/audit.py alone, which numbers the entries and seals each one with the one before it.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "at"),
        Index(None, "patient_id", "at"),
        Index(None, "subject"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    role: Mapped[str] = mapped_column(String(20))
    address: Mapped[str | None] = mapped_column(String(45))
    act: Mapped[str] = mapped_column(String(60))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    subject: Mapped[str | None] = mapped_column(String(80))
    digest: Mapped[str | None] = mapped_column(String(64))
    """Of the entry's details, where it has any: they may be emptied, the entry never changes."""
    seal: Mapped[str] = mapped_column(String(64), server_default="")
    """SHA-256 over the seal of the entry before and everything above."""


class AuditDetail(Base):
    """What a change was from and to. An erasure empties it; its digest stays in the sealed entry."""

    __tablename__ = "audit_details"

    entry_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), primary_key=True, autoincrement=False)
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """`{"phone": ["+49…", "+43…"], …}`: before and after."""
    salt: Mapped[str | None] = mapped_column(String(32))
    """Goes with the texts, so that nobody finds a short text again by trying digests."""


class AuditHead(Base):
    """The one row that says where the audit ends: who writes an entry holds it until the commit."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_id: Mapped[int]
    seal: Mapped[str] = mapped_column(String(64))


class Cover(Base):
    """A doctor who stands in for another from an instant until another, and sees their patients meanwhile."""

    __tablename__ = "covers"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint("doctor_id <> covered_id", name="another"),
        Index(None, "doctor_id", "ends_at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    covered_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor] = relationship(lazy="raise", foreign_keys=[doctor_id])
    covered: Mapped[Doctor] = relationship(lazy="raise", foreign_keys=[covered_id])


class EmergencyAccess(Base):
    """A record that a doctor opened in an emergency, why, and which admin has looked at that."""

    __tablename__ = "emergency_accesses"
    __table_args__ = (Index(None, "doctor_id", "expires_at"), Index(None, "seen_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    doctor: Mapped[Doctor] = relationship(lazy="raise")
    patient: Mapped[Patient] = relationship(lazy="raise")


class LegalHold(Base):
    """A reason why a patient's record may not be erased for now, such as a claim in court."""

    __tablename__ = "legal_holds"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), index=True)
    reason: Mapped[str] = mapped_column(String(500))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    lifted_at: Mapped[datetime | None]
