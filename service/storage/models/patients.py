"""Patient records and consent."""

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
    """A patient record. The patient may have no account and no address."""

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
    """The name for greetings; None if it wasn't entered, because it's never guessed from the full name."""
    birth_date: Mapped[date | None]
    email: Mapped[str | None] = mapped_column(String(254))
    """As typed, or as an earlier release stored it (see `email_form`)."""
    email_key: Mapped[str | None] = mapped_column(String(LONGEST_KEY), default=key_of_new)
    """The key for comparing addresses."""
    phone: Mapped[str | None] = mapped_column(String(20))
    """E.164."""
    folded_name: Mapped[str] = mapped_column(String(600), default=_search_key, server_default="")
    """The search key of the name. Update it whenever the name changes."""
    allergies: Mapped[str] = mapped_column(Text, default="", server_default="")
    alerts: Mapped[str] = mapped_column(Text, default="", server_default="")
    """Chart alerts for everyone who treats this patient."""
    imported_line: Mapped[str | None] = mapped_column(String(64))
    """A digest of the line this record was imported from, so that the same line is recognized."""
    registered_at: Mapped[datetime | None]
    """When they registered themselves; None again once the front desk has confirmed it."""
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    """The record that this one was merged into."""
    language: Mapped[str | None] = mapped_column(String(8))
    """The language of messages to this person; None: the clinic's."""
    preferred_channel: Mapped[Channel] = mapped_column(default=Channel.EMAIL, server_default="email")
    """The channel to try first."""
    email_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    sms_allowed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """Consent. Each change is a row of consent_changes."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    """When all personal and clinical data were erased. The row keeps a pseudonym."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class ConsentVia(StrEnum):
    """Where consent was changed."""

    DESK = "desk"
    ACCOUNT = "account"
    LINK = "link"
    ADDRESS = "address"
    """Taken from the same address on this record or another one."""
    MERGE = "merge"
    """Taken from a record that was merged into this one."""


class ConsentChange(Base):
    """A change of a patient's consent to a channel: when, by whom, and where."""

    __tablename__ = "consent_changes"
    __table_args__ = (one_of("via", ConsentVia), Index(None, "patient_id", "changed_at"), Index(None, "address"))

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"))
    channel: Mapped[Channel]
    allowed: Mapped[bool]
    via: Mapped[ConsentVia]
    address: Mapped[str | None] = mapped_column(String(LONGEST_KEY))
    """The key of the address, or the number, that it applies to; None if the record had none."""
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    """None: with a link without signing in, or not by a person."""
    changed_at: Mapped[datetime]
