"""Exports."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Enum, ForeignKey, Index, String, Text, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import Base, listed, one_of


class ExportFormat(StrEnum):
    """The format of an export. domain/exports/export_formats.py has the details."""

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
    """Return an index that allows only one unfinished export of a kind."""
    where = text(f"status IN ({listed(UNFINISHED)}){of}")
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


class Export(Base):
    """An export of a patient's history or the whole clinic, with its progress and outcome."""

    __tablename__ = "exports"
    __table_args__ = (
        one_of("status", ExportStatus),
        one_of("format", ExportFormat),
        _one_unfinished("uq_exports_one_unfinished", "patient_id"),
        # For the whole clinic: the format is always zip, so that the index allows only one.
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
    """When the latest attempt started."""
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    """When someone removed the finished file before it expired."""
    downloads: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How often it was downloaded from the beginning."""
    downloaded_at: Mapped[datetime | None]

    @hybrid_property
    def is_unfinished(self) -> bool:
        """Return whether its file has yet to be written."""
        return self.status in UNFINISHED

    @is_unfinished.inplace.expression
    @classmethod
    def _is_unfinished(cls) -> ColumnElement[bool]:
        return cls.status.in_(UNFINISHED)
