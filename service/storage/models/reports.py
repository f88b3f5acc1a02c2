"""Monthly reports and their earlier versions. domain/reports/contents.py describes their contents."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.storage.models.accounts import Doctor, User
from service.storage.models.declaration import Base


class Report(Base):
    """A doctor's monthly report, with the figures at the time it was made."""

    __tablename__ = "reports"
    __table_args__ = (UniqueConstraint("doctor_id", "month"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int] = mapped_column(ForeignKey("doctors.id"))
    month: Mapped[str] = mapped_column(String(7))
    """`YYYY-MM`: the month the report is about, in the clinic's zone."""
    visits: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many appointments it lists, so that the archive doesn't have to read the content."""
    content: Mapped[Mapping[str, Any]] = mapped_column(JSON, deferred=True)
    created_at: Mapped[datetime]

    doctor: Mapped[Doctor] = relationship(lazy="raise")


class ClinicReport(Base):
    """The clinic's monthly report, with the figures at the time it was made."""

    __tablename__ = "clinic_reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    month: Mapped[str] = mapped_column(String(7), unique=True)
    visits: Mapped[int]
    content: Mapped[Mapping[str, Any]] = mapped_column(JSON, deferred=True)
    created_at: Mapped[datetime]


class ReportVersion(Base):
    """A report as it was before it was recomputed."""

    __tablename__ = "report_versions"
    __table_args__ = (Index(None, "doctor_id", "month"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    doctor_id: Mapped[int | None] = mapped_column(ForeignKey("doctors.id"))
    """None: the clinic's report."""
    month: Mapped[str] = mapped_column(String(7))
    content: Mapped[Mapping[str, Any]] = mapped_column(JSON, deferred=True)
    created_at: Mapped[datetime]
    """When this version was made."""
    replaced_at: Mapped[datetime]
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    reason: Mapped[str] = mapped_column(String(200))

    replaced_by: Mapped[User | None] = relationship(lazy="raise")
