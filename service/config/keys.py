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
"""The file of the mail server's password beside the settings: readable by the owner only, never in a backup."""
SHARED_KEY = "ROUNDS_SECRET_KEY"
SHORTEST = 32
KEY_FILE = "secret.key"
_in_use: dict[Path, bytes] = {}
"""A process keeps its key when it starts again by itself, whatever became of the file."""


def secret(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret in the variable `name`, or in the file that `name`_FILE names; empty when there is neither.

    Raises SettingsError when the file cannot be read.
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
    """The password of the mail server: from the environment, else from the file that the page for mail writes."""
    said = secret("ROUNDS_EMAIL_PASSWORD", environ)
    if said or "ROUNDS_EMAIL_PASSWORD" in environ:
        return said
    file = settings.base / OF_EMAIL
    return secret("ROUNDS_EMAIL_PASSWORD", {"ROUNDS_EMAIL_PASSWORD_FILE": str(file)}) if file.exists() else ""


def email_password_is_fixed(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names the mail server's password, so that no page can change it."""
    return bool(environ.get("ROUNDS_EMAIL_PASSWORD") or environ.get("ROUNDS_EMAIL_PASSWORD_FILE"))


def secret_key(settings: Settings) -> bytes:
    """The key that signs form tokens: made at the first start beside the settings, readable by the owner only.

    Several computers share it by ROUNDS_SECRET_KEY or ROUNDS_SECRET_KEY_FILE; then no file is made. Raises
    SettingsError when it cannot be written or is too short to be safe.
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
    """Whether a clinic lives here and its key is gone: the next one makes all authenticator apps worthless."""
    given = SHARED_KEY in os.environ or f"{SHARED_KEY}_FILE" in os.environ
    file = settings.base / KEY_FILE
    return not given and file not in _in_use and settings.clinic_id.exists() and not file.exists()


def setup_code(key: bytes) -> str:
    """What the setup page asks another computer's visitor for: the same in all processes that share a key."""
    return hmac.new(key, b"setup code", hashlib.sha256).hexdigest()[:8]


def _long_enough(key: bytes, otherwise: str) -> bytes:
    if len(key) < SHORTEST:
        raise SettingsError(otherwise)
    return key
