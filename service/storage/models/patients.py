"""People with a record, and what they agreed to."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from service.mail_addresses import LONGEST_KEY
from service.storage.models.addresses import HasAddress, key_of_new
from service.storage.models.declaration import Base, one_of
from service.storage.models.outbox import Channel
from service.storage.search_keys import search_key


def _search_key(context: DefaultExecutionContext) -> str:
    """Return the search key of a new row, from its name."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return search_key(values["name"])


class Patient(HasAddress, Base):
    """A person with a record, who may have no account and no address."""

    __tablename__ = "patients"
    __table_args__ = (
        Index(None, "folded_name"),
        Index(None, "email_key"),
        Index(
            "ix_patients_email_doubtful",
            "id",
            sqlite_where=text("email_form = 'doubtful'"),
            postgresql_where=text("email_form = 'doubtful'"),
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    given_name: Mapped[str | None] = mapped_column(String(200))
    """What a greeting says; None where no one has said it, as it is never guessed from the name."""
    birth_date: Mapped[date | None]
    email: Mapped[str | None] = mapped_column(String(254))
    """As typed; an earlier release's is as that one wrote it (`email_form`)."""
    email_key: Mapped[str | None] = mapped_column(String(LONGEST_KEY), default=key_of_new)
    """By which addresses are compared."""
    phone: Mapped[str | None] = mapped_column(String(20))
    """E.164."""
    folded_name: Mapped[str] = mapped_column(String(600), default=_search_key, server_default="")
    """What a search by name compares; anyone who changes the name changes this too."""
    allergies: Mapped[str] = mapped_column(Text, default="", server_default="")
    alerts: Mapped[str] = mapped_column(Text, default="", server_default="")
    """What everyone who treats this person has to know first."""
    imported_line: Mapped[str | None] = mapped_column(String(64))
    """A digest of what the line of a file said that this record was imported from: the same line is known again."""
    registered_at: Mapped[datetime | None]
    """When they registered themselves; None again once reception has confirmed them."""
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """The same person's record that this one's appointments went to."""
    language: Mapped[str | None] = mapped_column(String(8))
    """Of the messages to this person; None: the clinic's."""
    preferred_channel: Mapped[Channel] = mapped_column(default=Channel.EMAIL, server_default="email")
    """Which is tried first."""
    email_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    sms_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """What they have agreed to; each change is a row of consent_changes."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    """When all that tells who this was, and what was found, went for good; the row keeps a pseudonym."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class ConsentVia(StrEnum):
    """By which way someone said which messages are wanted."""

    DESK = "desk"
    ACCOUNT = "account"
    LINK = "link"
    ADDRESS = "address"
    """It was said of the same address before, on this record or another one."""
    MERGE = "merge"
    """A record that was merged into this one said so."""


class ConsentChange(Base):
    """When a patient's agreement to a channel changed, who changed it, and by which way."""

    __tablename__ = "consent_changes"
    __table_args__ = (one_of("via", ConsentVia), Index(None, "patient_id", "changed_at"), Index(None, "address"))

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    channel: Mapped[Channel]
    allowed: Mapped[bool]
    via: Mapped[ConsentVia]
    address: Mapped[str | None] = mapped_column(String(LONGEST_KEY))
    """The address, in its comparing form, or the number it was said of; None where the record had none."""
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None: by a link without signing in, or by no person."""
    changed_at: Mapped[datetime]
