"""Secrets that open something: random ones, of which the database keeps only a hash."""

import hashlib
import secrets


def new() -> str:
    """A fresh token of 256 random bits."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()
