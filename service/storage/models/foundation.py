"""The installation, failed attempts, idempotency keys, job runs, and the audit log."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import SECRET, Base, one_of


class Installation(Base):
    """The one row about this database."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    clinic_id: Mapped[str] = mapped_column(String(32), default=lambda: secrets.token_hex(16))
    """128 random bits in hex, created with the database: identifies the clinic in calendar entries and the like."""
    created_at: Mapped[datetime]
    demo_at: Mapped[datetime | None]
    """When the demo clinic was created."""
    served_at: Mapped[str | None] = mapped_column(Text)
    """The address of the running service, for the message a second one prints."""
    messages_paused_at: Mapped[datetime | None]
    """Since when all messages are paused."""
    ticked_at: Mapped[datetime | None]
    """When the scheduler last ticked: its heartbeat."""
    checked_at: Mapped[datetime | None]
    """When readiness was last checked, which writes this."""
    zone: Mapped[str | None] = mapped_column(String(64))
    """The time zone from which instants were derived; None before the first start of a version that stores it."""
    zone_chosen_at: Mapped[datetime | None]
    """Since when the clinic's zone is known: since its first user. Jobs due earlier are not considered."""
    zone_rules: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """That zone's offsets from UTC, and when they change (domain/foundation/zone_rules.py)."""
    folded_by: Mapped[str | None] = mapped_column(String(40))
    """The version of the rule for patients' search keys (storage/search_keys.py); None: before it had versions."""
    zone_at_instants: Mapped[str | None] = mapped_column(String(64))
    """A zone the clinic is moving to: when it takes effect, appointments keep their instants, not their local times."""


class Failure(Base):
    """An attempt, counted under a key (an account, an e-mail address, or a network)."""

    __tablename__ = "failures"
    __table_args__ = (Index(None, "key", "failed_at"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(80))
    failed_at: Mapped[datetime]


class IdempotencyKey(Base):
    """An API request with an idempotency key, and its response, which is repeated for the same request."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (UniqueConstraint("token_id", "key"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("api_tokens.id"))
    key: Mapped[str] = mapped_column(String(100))
    request_hash: Mapped[str] = mapped_column(String(64))
    """A hash of the route and the body. Another request with the same key is refused."""
    status: Mapped[int]
    location: Mapped[str | None] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(index=True)


class RunStatus(StrEnum):
    """The status of a job run."""

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
    """A change of the clinic's zone or its rules that affected upcoming appointments."""

    __tablename__ = "zone_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    zone_before: Mapped[str] = mapped_column(String(64))
    zone_after: Mapped[str] = mapped_column(String(64))
    kept_local: Mapped[int]
    """How many appointments kept their local time and got a new instant."""
    problems: Mapped[dict[str, Any]]
    """Those that couldn't, by id: `{"12": {"why": "skipped", "local_start": "2027-03-28T02:30"}}`."""
    seen_at: Mapped[datetime | None]
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class JobRun(Base):
    """The ledger of jobs: which slot of which job was opened, by what, and how it ended."""

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
    """A digest of the entry's details, if any: they may be emptied, but the entry never changes."""
    seal: Mapped[str] = mapped_column(String(64), server_default="")
    """SHA-256 of the previous entry's seal and everything above."""


class AuditDetail(Base):
    """What was changed, before and after. An erasure empties it; its digest stays in the entry."""

    __tablename__ = "audit_details"

    entry_id: Mapped[int] = mapped_column(ForeignKey("audit.id"), primary_key=True, autoincrement=False)
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """`{"phone": ["+49…", "+43…"], …}`: before and after."""
    salt: Mapped[str | None] = mapped_column(String(32))
    """Erased with the texts, so that short texts can't be guessed from their digest."""


class AuditHead(Base):
    """The one row that points to the last audit entry. It's locked while an entry is written."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_id: Mapped[int]
    seal: Mapped[str] = mapped_column(String(64))
