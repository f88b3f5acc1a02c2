"""Histories as files."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Enum, ForeignKey, Index, String, Text, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import Base, listed, one_of


class ExportFormat(StrEnum):
    """How a history is written; the rest of what there is to know of each is in domain/exports/export_formats.py."""

    CSV = "csv"
    JSON = "json"
    ZIP = "zip"


class ExportStatus(StrEnum):
    """pending -> running -> available -> expired, or failed, or canceled."""

    PENDING = "pending"
    RUNNING = "running"
    AVAILABLE = "available"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED = (ExportStatus.PENDING, ExportStatus.RUNNING)


def _one_unfinished(name: str, column: str, of: str = "") -> Index:
    """At most one export of a kind is under way."""
    where = text(f"status IN ({listed(UNFINISHED)}){of}")
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


class Export(Base):
    """A patient's history, or the whole clinic, as a file; the row is its own ledger."""

    __tablename__ = "exports"
    __table_args__ = (
        one_of("status", ExportStatus),
        one_of("format", ExportFormat),
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
    format: Mapped[ExportFormat] = mapped_column(
        Enum(ExportFormat, native_enum=False, length=10, values_callable=list),
        default=ExportFormat.CSV,
        server_default=ExportFormat.CSV,
    )
    with_visits: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    with_messages: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    status: Mapped[ExportStatus] = mapped_column(default=ExportStatus.PENDING, server_default=ExportStatus.PENDING)
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
    """When someone took the finished file away before its time."""
    downloads: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often it was downloaded from its beginning on."""
    downloaded_at: Mapped[datetime | None]

    @hybrid_property
    def is_unfinished(self) -> bool:
        """Whether its file is still to be made."""
        return self.status in UNFINISHED

    @is_unfinished.inplace.expression
    @classmethod
    def _is_unfinished(cls) -> ColumnElement[bool]:
        return cls.status.in_(UNFINISHED)
