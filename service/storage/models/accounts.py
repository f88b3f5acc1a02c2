"""Users, how they sign in, doctors, and guardians."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from service.mail_addresses import LONGEST_KEY
from service.storage.models.addresses import HasAddress, key_of_new
from service.storage.models.declaration import SECRET, Base, one_of


class User(HasAddress, Base):
    """Someone who signs in. Ids are never reused."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", "admin", "receptionist", "doctor", "patient"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """As typed, or as an earlier release stored it (see `email_form`)."""
    email_key: Mapped[str] = mapped_column(
        String(LONGEST_KEY), index=True, unique=True, default=key_of_new, server_default=""
    )
    """The key for comparing addresses, unique among users."""
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(200), info=SECRET)
    password_is_short: Mapped[bool] = mapped_column(default=False, server_default=text("false"), info=SECRET)
    """Whether the password is only allowed together with a second factor."""
    language: Mapped[str | None] = mapped_column(String(8))
    """The language of pages and e-mail, if the user has chosen one."""
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """When the user first signed in."""
    new_email: Mapped[str | None] = mapped_column(String(254))
    """The new address the user has asked for, as typed, until it's proven."""
    new_email_of: Mapped[list[int] | None] = mapped_column(JSON)
    """The records with the old address that will get the new one; None: all of them."""
    unproven_since: Mapped[datetime | None]
    """When the user registered, until a mailed link proves the address; None for accounts the clinic created."""
    links_count_from: Mapped[datetime | None] = mapped_column(info=SECRET)
    """Links requested before this are invalid, even if they haven't been mailed yet."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}

    @property
    def is_in_use(self) -> bool:
        """Return whether the account has been used, so that only its user can choose the password."""
        return self.unproven_since is None and (self.password_hash is not None or self.used_at is not None)


class TokenPurpose(StrEnum):
    """What a link for a user allows."""

    INVITE = "invite"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    SIGN_IN = "sign_in"
    EMAIL = "email"
    """Proves a new address."""
    REGISTRATION = "registration"
    """Proves the address that someone registered with."""


class UserToken(Base):
    """A link mailed or given to a user. Only its hash is stored, and it works once."""

    __tablename__ = "user_tokens"
    __table_args__ = (one_of("purpose", TokenPurpose), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[TokenPurpose]
    email: Mapped[str | None] = mapped_column(String(254))
    """The address it was mailed to: the link is invalid once that changes. None if it was given in person."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    """When it was requested; queued mail is composed later."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignIn(Base):
    """A session. It ends on the server, whether or not the browser keeps the cookie."""

    __tablename__ = "sessions"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str | None] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """The browser: `Firefox on Windows`."""
    awaits_code: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The password was correct, but the second factor is still missing: the session gives no access yet."""
    proven_at: Mapped[datetime | None]
    """When the user last entered their password in this session."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class KnownBrowser(Base):
    """A browser that a user has signed in with. Guesses from elsewhere don't lock the user out of it.

    A browser of several users has one row for each, with the same hash. Ids are never reused, because attempts are
    counted by them.
    """

    __tablename__ = "known_browsers"
    __table_args__ = (UniqueConstraint("user_id", "token_hash"), {"info": SECRET, "sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[str] = mapped_column(String(64), index=True)
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """A token with which another program acts as a user, within its scopes. Only its hash is stored."""

    __tablename__ = "api_tokens"
    __table_args__ = {"info": SECRET, "sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(String(60))
    """The program that uses it."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(60))
    """Some of `read`, `book`, and `clinical`, separated by spaces."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]


class SecondFactor(Base):
    """A user's authenticator app. Its secret is derived from the salt and the key file, and not stored."""

    __tablename__ = "second_factors"
    __table_args__ = {"info": SECRET}

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(64))
    last_counter: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The time step of the last accepted code. That code and earlier ones aren't accepted again."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When the first code proved that the app has the secret. Until then, no code is asked for."""


class RecoveryCode(Base):
    """A code for when the phone is lost. Only its hash is stored, and it works once."""

    __tablename__ = "recovery_codes"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class UnsentForm(Base):
    """A form that was sent after the session had ended. The user gets it back after signing in within an hour."""

    __tablename__ = "unsent_forms"
    __table_args__ = (UniqueConstraint("user_id", "path"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    path: Mapped[str] = mapped_column(String(500))
    """The path it was sent to."""
    fields: Mapped[dict[str, Any]]
    """Name -> values."""
    kept_at: Mapped[datetime]


class Doctor(Base):
    __tablename__ = "doctors"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    department: Mapped[str] = mapped_column(String(100), default="", server_default="")
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}


class Guardian(Base):
    """A user who looks after a patient: their own record, a child's, or a parent's."""

    __tablename__ = "guardians"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]
    clinical_from: Mapped[datetime | None]
    """When the user may start reading clinical texts; None: at once."""
