"""Messages, from plan to answer."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, UniqueConstraint, and_, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import Base, one_of


class MessageStatus(StrEnum):
    """How far a message has come."""

    QUEUED = "queued"
    SENDING = "sending"
    """Claimed: it is written and its channel asked."""
    HANDING_OVER = "handing_over"
    """Its content leaves; from here on it may have arrived."""
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The line broke while it left: no one knows whether it arrived."""
    SKIPPED = "skipped"


class SkipReason(StrEnum):
    """Why a message is not sent."""

    NO_ADDRESS = "no_address"
    OPTED_OUT = "opted_out"
    CANCELLED = "cancelled"
    """What it says does not hold any more."""
    TOO_LATE = "too_late"
    JUST_BOOKED = "just_booked"
    TIME_OFF = "time_off"
    """Its doctor is away at that time: the desk finds another one, and nothing contradicts that."""
    DUPLICATE = "duplicate"
    """Another message says the same: `covered_by`."""


class Channel(StrEnum):
    """By what a message leaves."""

    EMAIL = "email"
    SMS = "sms"
    CONSOLE = "console"
    """Stands in for e-mail where that is not set up."""


class Message(Base):
    """The outbox: written in the transaction of what caused it, before anything is sent.

    About an appointment there is one row per (appointment, start time, rule, channel); a moved appointment is a new
    one.
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
    """What is said, which is also the template's name: `daily_reminder`, `booking_confirmation` …"""
    event: Mapped[str] = mapped_column(String(40), default="", server_default="")
    """What caused it: `schedule`, `appointment.book` …, in the audit's words."""
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    starts_at: Mapped[datetime | None]
    """The start of the appointment the message is about, as it was when the message was written."""
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """The recipient, if it's someone who signs in."""
    about: Mapped[str | None] = mapped_column(String(60))
    """The row it is about when that is no appointment: `export/ab12`, `offer/3`, `report/7`."""
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
    """The text, written when it is sent and kept with `[link]` for each link; emptied when its time is over."""
    edited_at: Mapped[datetime | None]
    """When someone wrote subject and body beforehand: they are kept, only the links are filled in."""
    due_at: Mapped[datetime]
    held_at: Mapped[datetime | None]
    """Since when this one waits because someone holds it back."""
    released_at: Mapped[datetime | None]
    """When someone let it go although all messages are paused."""
    attempts: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    owner: Mapped[str | None] = mapped_column(String(60))
    lease_until: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(String(500))
    """What the mail server or the gateway answered when it took the message, with its id where it gave one."""
    unsure_at: Mapped[datetime | None]
    """When it first happened that no one knew whether the message had arrived."""
    phoned_at: Mapped[datetime | None]
    """When the desk told the patient by phone instead."""
    phoned_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    @hybrid_property
    def stayed_here(self) -> bool:
        """Whether it was only written to the console: `sent`, and yet no one outside has it."""
        return self.status == MessageStatus.SENT and self.channel == Channel.CONSOLE

    @stayed_here.inplace.expression
    @classmethod
    def _stayed_here(cls) -> ColumnElement[bool]:
        return and_(cls.status == MessageStatus.SENT, cls.channel == Channel.CONSOLE)
