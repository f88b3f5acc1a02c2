"""Links in messages."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from service.storage.models.declaration import SECRET, Base, one_of


class LinkPurpose(StrEnum):
    """What a link in a message is for."""

    VISIT = "visit"
    """Confirm, cancel, or reschedule."""
    OFFER = "offer"
    """Accept a held slot."""
    CONTACT = "contact"
    """Choose messages."""


class MessageLink(Base):
    """A link in a message, and what it allows without signing in. Only the token's hash is stored."""

    __tablename__ = "message_links"
    __table_args__ = (one_of("purpose", LinkPurpose), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    purpose: Mapped[LinkPurpose]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    appointment_id: Mapped[int | None] = mapped_column(ForeignKey("appointments.id"))
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
