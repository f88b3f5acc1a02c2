"""Secrets: the key generated at first start, and passwords from the environment or a file. Never part of Settings."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from service import disk
from service.config.settings import Settings, SettingsError

OF_EMAIL = "email.password"
"""The file with the mail server's password, next to the settings: readable only by its owner, never in a backup."""
SHARED_KEY = "ROUNDS_SECRET_KEY"
SHORTEST = 32
KEY_FILE = "secret.key"
_in_use: dict[Path, bytes] = {}
"""A process keeps its key when it restarts itself, even if the file is gone."""


def secret(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret in the variable `name` or in the file named by `name`_FILE; empty if neither is set.

    Raises SettingsError if the file can't be read.
    """
    if name in environ:
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is no text"
    except RuntimeError:
        why = "there is no such home"
    raise SettingsError(f"{name}_FILE: {file} cannot be read: {why}.")


def email_password(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """Return the mail server's password from the environment, or else from the file that the settings page writes."""
    said = secret("ROUNDS_EMAIL_PASSWORD", environ)
    if said or "ROUNDS_EMAIL_PASSWORD" in environ:
        return said
    file = settings.base / OF_EMAIL
    return secret("ROUNDS_EMAIL_PASSWORD", {"ROUNDS_EMAIL_PASSWORD_FILE": str(file)}) if file.exists() else ""


def email_password_is_fixed(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether the environment sets the mail server's password, so that pages can't change it."""
    return bool(environ.get("ROUNDS_EMAIL_PASSWORD") or environ.get("ROUNDS_EMAIL_PASSWORD_FILE"))


def secret_key(settings: Settings) -> bytes:
    """Return the secret key, creating its file next to the settings at the first start, readable only by its owner.

    Several computers share a key with ROUNDS_SECRET_KEY or ROUNDS_SECRET_KEY_FILE; then no file is created. Raises
    SettingsError if the file can't be written or the key is too short to be safe.
    """
    given = secret(SHARED_KEY).strip().encode()
    if given:
        return _long_enough(given, f"The key in {SHARED_KEY} is too short to be safe: 32 characters are the least.")
    if SHARED_KEY in os.environ or os.environ.get(f"{SHARED_KEY}_FILE"):
        raise SettingsError(f"{SHARED_KEY} is empty: give it 32 random characters or more, or take it away.")
    file = settings.base / KEY_FILE
    try:
        if not file.exists():
            disk.write_first(file, _in_use.get(file) or secrets.token_hex(32).encode())
        key = _in_use[file] = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"The key file {file} cannot be written: {error.strerror}.") from None
    return _long_enough(key, f"The key in {file} is too short to be safe: delete the file, a new one is made.")


def is_lost(settings: Settings) -> bool:
    """Return whether there is a clinic here but no key: with a new key, authenticator apps stop working."""
    given = SHARED_KEY in os.environ or f"{SHARED_KEY}_FILE" in os.environ
    file = settings.base / KEY_FILE
    return not given and file not in _in_use and settings.clinic_id.exists() and not file.exists()


def setup_code(key: bytes) -> str:
    """Return the code that the setup page asks for on other computers: the same in all processes with the same key."""
    return hmac.new(key, b"setup code", hashlib.sha256).hexdigest()[:8]


def _long_enough(key: bytes, otherwise: str) -> bytes:
    if len(key) < SHORTEST:
        raise SettingsError(otherwise)
    return key
