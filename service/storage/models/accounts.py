"""Users, how they sign in, the doctors among them, and whom they look after."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from service.mail_addresses import LONGEST_KEY
from service.storage.models.addresses import HasAddress, key_of_new
from service.storage.models.declaration import SECRET, Base, one_of


class User(HasAddress, Base):
    """Someone who signs in. Ids are never used again."""

    __tablename__ = "users"
    __table_args__ = (
        one_of("role", "admin", "receptionist", "doctor", "patient"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """As typed; an earlier release's is as that one wrote it (`email_form`)."""
    email_key: Mapped[str] = mapped_column(
        String(LONGEST_KEY), index=True, unique=True, default=key_of_new, server_default=""
    )
    """By which addresses are compared: no two accounts share one."""
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None] = mapped_column(String(200), info=SECRET)
    password_is_short: Mapped[bool] = mapped_column(default=False, server_default=text("false"), info=SECRET)
    """Whether the password may only stand beside a second factor."""
    language: Mapped[str | None] = mapped_column(String(8))
    """Of pages and mail, where its owner has chosen one."""
    disabled_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    """When someone first signed in with it."""
    new_email: Mapped[str | None] = mapped_column(String(254))
    """The address its owner wants to sign in with, as typed, until they prove that it is theirs."""
    new_email_of: Mapped[list[int] | None] = mapped_column(JSON)
    """The records that bear the old address and are to get the new one; None: all of them."""
    unproven_since: Mapped[datetime | None]
    """When it registered itself, until a mailed link proves its address; None for accounts the clinic made."""
    links_count_from: Mapped[datetime | None] = mapped_column(info=SECRET)
    """Links asked for before that are worthless, whether they were mailed already or not."""
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))

    __mapper_args__ = {"version_id_col": version}

    @property
    def is_in_use(self) -> bool:
        """Whether it belongs to someone by now: only they choose its password."""
        return self.unproven_since is None and (self.password_hash is not None or self.used_at is not None)


class TokenPurpose(StrEnum):
    """What a link that stands for a user lets its holder do."""

    INVITE = "invite"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    SIGN_IN = "sign_in"
    EMAIL = "email"
    """Proves a new address."""
    REGISTRATION = "registration"
    """Proves the address that someone registered with."""


class UserToken(Base):
    """A link mailed or handed to a user: only its hash rests here, and it works once."""

    __tablename__ = "user_tokens"
    __table_args__ = (one_of("purpose", TokenPurpose), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    purpose: Mapped[TokenPurpose]
    email: Mapped[str | None] = mapped_column(String(254))
    """Where the link was mailed to: it dies when that is no longer the user's address. None for one handed over."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    """When it was asked for; mail that waits is composed later."""
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignIn(Base):
    """A sign-in session: it ends on the server, whatever cookie a browser keeps."""

    __tablename__ = "sessions"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    address: Mapped[str | None] = mapped_column(String(45))
    browser: Mapped[str] = mapped_column(String(60), default="", server_default="")
    """What it was opened with, in words: `Firefox on Windows`."""
    awaits_code: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The password was right and the code of the second factor is still missing: it opens nothing yet."""
    proven_at: Mapped[datetime | None]
    """When the person last gave their password in this session."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class KnownBrowser(Base):
    """A browser that someone signed in with: guesses from elsewhere do not lock its user out there.

    Browsers of several users have one row for each, with the same hash. Ids are never used again: tries are counted by
    them.
    """

    __tablename__ = "known_browsers"
    __table_args__ = (UniqueConstraint("user_id", "token_hash"), {"info": SECRET, "sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_hash: Mapped[str] = mapped_column(String(64), index=True)
    expires_at: Mapped[datetime]


class ApiToken(Base):
    """What another program shows to act as a user, within its scopes: only its hash rests here."""

    __tablename__ = "api_tokens"
    __table_args__ = {"info": SECRET, "sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(String(60))
    """Which program has it."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(60))
    """`read`, `book`, `clinical`, those it has with blanks between."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]


class SecondFactor(Base):
    """The authenticator app of a user. Its secret is derived from the salt and the key file, and stored nowhere."""

    __tablename__ = "second_factors"
    __table_args__ = {"info": SECRET}

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    salt: Mapped[str] = mapped_column(String(64))
    last_counter: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """The time step of the last code that was accepted: neither it nor an earlier one counts again."""
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """When a first code proved that the app has the secret; until then it is not asked for."""


class RecoveryCode(Base):
    """A code for the day the phone is lost: only its hash rests here, and it works once."""

    __tablename__ = "recovery_codes"
    __table_args__ = {"info": SECRET}

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class UnsentForm(Base):
    """A form that was sent after the session had ended: its user gets it back after signing in, within the hour."""

    __tablename__ = "unsent_forms"
    __table_args__ = (UniqueConstraint("user_id", "path"), {"info": SECRET})

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    path: Mapped[str] = mapped_column(String(500))
    """Where it was sent to."""
    fields: Mapped[dict[str, Any]]
    """Name -> its values."""
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
    """Which user acts for which patient: their own record, a child's, a parent's."""

    __tablename__ = "guardians"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patients.id"), primary_key=True, index=True)
    created_at: Mapped[datetime]
    clinical_from: Mapped[datetime | None]
    """From when the user may read clinical texts; empty: from the start."""
