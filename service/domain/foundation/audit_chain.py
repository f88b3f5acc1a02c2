"""How audit entries are chained: each contains a hash of the one before it. This must never change."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FIRST = "0" * 64
"""The seal before the first entry."""
SEALED = ("id", "at", "user_id", "role", "address", "act", "patient_id", "subject", "digest")


def digest(salt: str, changes: Mapping[str, Any]) -> str:
    """Return the digest of an entry's details. The salt prevents guessing short texts."""
    return _sha256([salt, changes])


def seal(before: str, entry: Mapping[str, Any]) -> str:
    """Return the hash of the previous entry's seal and this entry's columns; `at` is an aware time."""
    values = [entry[name] for name in SEALED]
    at: datetime = entry["at"]
    values[1] = at.astimezone(UTC).isoformat(timespec="microseconds")
    return _sha256([before, *values])


def _sha256(values: list[Any]) -> str:
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
