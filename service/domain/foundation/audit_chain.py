"""How the audit's entries hang together: each is sealed with the one before it. This never changes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FIRST = "0" * 64
"""What the first entry follows."""
SEALED = ("id", "at", "user_id", "role", "address", "act", "patient_id", "subject", "digest")


def digest(salt: str, changes: Mapping[str, Any]) -> str:
    """Of an entry's details; the salt keeps short texts from being guessed."""
    return _sha256([salt, changes])


def seal(before: str, entry: Mapping[str, Any]) -> str:
    """Over the seal of the entry before and all that this one says; `at` is an aware time."""
    values = [entry[name] for name in SEALED]
    at: datetime = entry["at"]
    values[1] = at.astimezone(UTC).isoformat(timespec="microseconds")
    return _sha256([before, *values])


def _sha256(values: list[Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
