"""The database itself, failed attempts, answers kept for programs, runs of jobs, and the audit."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import SECRET, Base, one_of


class Installation(Base):
    """The one row about this database itself."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    clinic_id: Mapped[str] = mapped_column(String(32), default=lambda: secrets.token_hex(16))
    """128 random bits in hex, made once with the database: names the clinic where other programs keep what it sends."""
    created_at: Mapped[datetime]
    demo_at: Mapped[datetime | None]
    """When a demo clinic was filled in: the demo mark."""
    served_at: Mapped[str | None] = mapped_column(Text)
    """The address of the running service, for the message a second one prints."""
    messages_paused_at: Mapped[datetime | None]
    """Since when all messages wait because someone pressed *Pause*."""
    ticked_at: Mapped[datetime | None]
    """When the scheduler ticked last: its heartbeat."""
    checked_at: Mapped[datetime | None]
    """When someone last asked whether the service is ready, which writes this."""
    zone: Mapped[str | None] = mapped_column(String(64))
    """The time zone that the instants here were derived with; None before the first start of a version that knows."""
    zone_chosen_at: Mapped[datetime | None]
    """Since when the clinic's zone is known: since its first user. What was due before is not judged."""
    zone_rules: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """How far that zone's wall clock is ahead of UTC, and when that changes (domain/foundation/zone_rules.py)."""
    folded_by: Mapped[str | None] = mapped_column(String(40))
    """The rule that wrote the search keys of patients (storage/search_keys.py); None: before rules had numbers."""
    zone_at_instants: Mapped[str | None] = mapped_column(String(64))
    """A zone the clinic moves to: when it is first used, appointments keep their instants, not their local times."""


class Failure(Base):
    """One attempt under a throttling key (an account, an e-mail address, a network)."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "key", "failed_at"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    failed_at: Mapped[datetime]


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


class RunStatus(StrEnum):
    """How far a run of a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunTrigger(StrEnum):
    """What opened a run."""

    SCHEDULE = "schedule"
    CATCHUP = "catchup"
    """The schedule, more than five minutes late."""
    MANUAL = "manual"


class ZoneChange(Base):
    """A time the rules of the clinic's zone, or the zone itself, changed while appointments were ahead."""

    __tablename__ = "zone_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    zone_before: Mapped[str] = mapped_column(String(64))
    zone_after: Mapped[str] = mapped_column(String(64))
    kept_local: Mapped[int]
    """How many appointments kept their local time and got another instant."""
    problems: Mapped[dict[str, Any]]
    """Those that could not, by id: `{"12": {"why": "skipped", "local_start": "2027-03-28T02:30"}}`."""
    seen_at: Mapped[datetime | None]
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class JobRun(Base):
    """The scheduler of record: which slot of which job was opened, by what, and how it ended."""

    __tablename__ = "job_runs"
    __table_args__ = (
        one_of("status", RunStatus),
        one_of("trigger", RunTrigger),
        UniqueConstraint("job", "slot"),
        Index(None, "status", "lease_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str] = mapped_column(String(40))
    slot: Mapped[str] = mapped_column(String(60))
    status: Mapped[RunStatus] = mapped_column(default=RunStatus.QUEUED, server_default="queued")
    trigger: Mapped[RunTrigger]
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
    """One entry of the audit log: actor, action, record, and network address."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(None, "at"),
        Index(None, "patient_id", "at"),
        Index(None, "subject"),
        Index(None, "act", "id"),
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
    """Goes with the texts, so that no one finds a short text again by trying digests."""


class AuditHead(Base):
    """The one row that says where the audit ends: who writes an entry holds it until the commit."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_id: Mapped[int]
    seal: Mapped[str] = mapped_column(String(64))
