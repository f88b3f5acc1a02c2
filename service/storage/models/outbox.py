"""Messages, from planning to the server's response."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, and_, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import Base, one_of


class MessageStatus(StrEnum):
    """The status of a message."""

    QUEUED = "queued"
    SENDING = "sending"
    """Claimed: it's being composed, and the server contacted."""
    HANDING_OVER = "handing_over"
    """Its content is being sent: from here on, it may have arrived."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The connection broke during sending, so it may or may not have arrived."""
    SKIPPED = "skipped"


class SkipReason(StrEnum):
    """Why a message isn't sent."""

    NO_ADDRESS = "no_address"
    OPTED_OUT = "opted_out"
    CANCELLED = "cancelled"
    """What it says is no longer true."""
    TOO_LATE = "too_late"
    JUST_BOOKED = "just_booked"
    TIME_OFF = "time_off"
    """The doctor is away at that time, and the front desk will arrange another one."""
    DUPLICATE = "duplicate"
    """Another message says the same: `covered_by`."""


class Channel(StrEnum):
    """How a message is sent."""

    EMAIL = "email"
    SMS = "sms"
    CONSOLE = "console"
    """Used instead of e-mail until that's set up."""


class Message(Base):
    """The outbox: a message is written in the transaction of its cause, before it's sent.

    There is one row per appointment, start time, rule, and channel. A rescheduled appointment is a new one.
    """

    __tablename__ = "messages"
    __table_args__ = (
        one_of("status", MessageStatus),
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
    """The kind of message, and the name of its template: `daily_reminder`, `booking_confirmation` …"""
    event: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """What caused it, in the words of the audit log: `schedule`, `appointment.book` …"""
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    starts_at: Mapped[datetime | None]
    """The start of the appointment when the message was written."""
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """The recipient, if it's someone who signs in."""
    about: Mapped[str | None] = mapped_column(String(60))
    """The row it's about if that isn't an appointment: `export/ab12`, `offer/3`, `report/7`."""
    channel: Mapped[Channel]
    recipient: Mapped[str | None] = mapped_column(String(254))
    language: Mapped[str] = mapped_column(String(8), default="", server_default="")
    """Empty: the clinic's."""
    status: Mapped[MessageStatus] = mapped_column(default=MessageStatus.QUEUED, server_default="queued")
    skip_reason: Mapped[SkipReason | None]
    covered_by: Mapped[int | None] = mapped_column(ForeignKey("messages.id"))
    """The message that already lists this appointment (DUPLICATE)."""
    subject: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    """The text, written when it's sent, with `[link]` for each link. Emptied after the retention period."""
    edited_at: Mapped[datetime | None]
    """When someone edited the subject and body before sending. Then only links are filled in."""
    due_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    """Since when this message is held."""
    released_at: Mapped[datetime | None]
    """When someone released it although all messages are paused."""
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(String(500))
    """The response of the mail server or gateway that accepted the message, with its id if it gave one."""
    unsure_at: Mapped[datetime | None]
    """When its delivery first became unknown."""
    phoned_at: Mapped[datetime | None]
    """When the front desk called the patient instead."""
    phoned_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    @hybrid_property
    def stayed_here(self) -> bool:
        """Return whether it was only printed to the console: `sent`, but nobody received it."""
        return self.status == MessageStatus.SENT and self.channel == Channel.CONSOLE

    @stayed_here.inplace.expression
    @classmethod
    def _stayed_here(cls) -> ColumnElement[bool]:
        return and_(cls.status == MessageStatus.SENT, cls.channel == Channel.CONSOLE)
