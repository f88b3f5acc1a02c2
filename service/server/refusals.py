"""Answers to what is not let in: a status, one plain sentence, and a log that says how many instead of each."""

from collections import Counter
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from waitress.utilities import Error

log = structlog.get_logger()
LOG_EVERY = 10.0
"""Seconds between two lines, however many are refused."""


class Refusal(Error):
    """An answer that waitress gives instead of ours."""

    def __init__(self, code: int, reason: str, sentence: str, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.code, self.reason, self.retry_after = code, reason, retry_after

    def to_response(self, _ident: str | None = None) -> Any:
        """Status line, headers and body in bytes, as waitress asks for them."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        if self.retry_after:
            headers.append(("Retry-After", str(self.retry_after)))
        return f"{self.code} {self.reason}", headers, f"{self.body}\n".encode()


def too_slow() -> Refusal:
    """For a request that did not arrive in time."""
    return Refusal(408, "Request Timeout", "Your request took too long to arrive: send it again.")


def too_large() -> Refusal:
    """For a body beyond what its sender may send."""
    return Refusal(413, "Content Too Large", "This is more than you may send here: a file to import needs a sign-in.")


def too_many() -> Refusal:
    """For a network that holds all the places it may have."""
    return Refusal(
        429, "Too Many Requests", "Your network has too many requests under way: wait a moment, then try again.", 5
    )


def too_crowded() -> Refusal:
    """For anybody while the places of all are taken."""
    return Refusal(503, "Service Unavailable", "Rounds is very busy: wait a moment, then try again.", 10)


class Tally:
    """Counts refusals, and writes what has come together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[int] = Counter()
        self._written_at = monotonic() - LOG_EVERY

    def count(self, refusal: Refusal) -> None:
        """One more."""
        with self._lock:
            self._counts[refusal.code] += 1

    def write(self, now: float) -> None:
        """One line with the count of each status, if there is any and the last line is long enough ago."""
        with self._lock:
            if not self._counts or now - self._written_at < LOG_EVERY:
                return
            counts, self._counts, self._written_at = self._counts, Counter(), now
        log.warning("refused at the door", **{f"status_{code}": count for code, count in sorted(counts.items())})
