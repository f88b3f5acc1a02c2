"""Refusals by the server itself: a status, one plain sentence, and a log line with counts instead of one for each."""

from collections import Counter
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from waitress.utilities import Error

log = structlog.get_logger()
LOG_EVERY = 10.0
"""Seconds between two log lines, however many requests are refused."""


class Refusal(Error):
    """An answer by the server instead of the application."""

    def __init__(self, code: int, reason: str, sentence: str, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.code, self.reason, self.retry_after = code, reason, retry_after

    def to_response(self, _ident: str | None = None) -> Any:
        """Return the status, headers, and body for waitress."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        if self.retry_after:
            headers.append(("Retry-After", str(self.retry_after)))
        return f"{self.code} {self.reason}", headers, f"{self.body}\n".encode()


def too_slow() -> Refusal:
    """Return the refusal of a request that didn't arrive in time."""
    return Refusal(408, "Request Timeout", "Your request took too long to arrive: send it again.")


def too_large() -> Refusal:
    """Return the refusal of a body that is larger than its sender may send."""
    return Refusal(413, "Content Too Large", "This is more than you may send here: a file to import needs a sign-in.")


def too_many() -> Refusal:
    """Return the refusal for a network whose quota is used up."""
    return Refusal(
        429, "Too Many Requests", "Your network has too many requests under way: wait a moment, then try again.", 5
    )


def too_crowded() -> Refusal:
    """Return the refusal for anyone while the quota of all is used up."""
    return Refusal(503, "Service Unavailable", "Rounds is very busy: wait a moment, then try again.", 10)


class Tally:
    """Counts refusals and logs the totals."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[int] = Counter()
        self._written_at = monotonic() - LOG_EVERY

    def count(self, refusal: Refusal) -> None:
        """Count a refusal."""
        with self._lock:
            self._counts[refusal.code] += 1

    def write(self, now: float) -> None:
        """Log one line with the count of each status, if there is any and the last line is old enough."""
        with self._lock:
            if not self._counts or now - self._written_at < LOG_EVERY:
                return
            counts, self._counts, self._written_at = self._counts, Counter(), now
        log.warning("refused at the door", **{f"status_{code}": count for code, count in sorted(counts.items())})
