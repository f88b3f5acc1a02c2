"""A circuit breaker for Redis and the like: pages go on without a service that is down."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TypeVar

import structlog

log = structlog.get_logger()
REST_SECONDS = 5.0
T = TypeVar("T")


class CircuitBreaker:
    """Skips calls for some seconds after a failure. An outage and its end are logged once each."""

    def __init__(self, what: str, errors: tuple[type[Exception], ...], rest_seconds: float = REST_SECONDS) -> None:
        self._what = what
        self._errors = errors
        self._rest_seconds = rest_seconds
        self._is_away = False
        self._asked_again_at = 0.0
        self._lock = Lock()

    def ask(self, act: Callable[[], T]) -> T | None:
        """Return the result of `act`, or None if the service is unavailable."""
        with self._lock:
            was_away = self._is_away
            if was_away and monotonic() < self._asked_again_at:
                return None
            self._asked_again_at = monotonic() + self._rest_seconds  # only one caller tries again
        try:
            answer = act()
        except self._errors as error:
            self._missed(error)
            return None
        if was_away:
            self._came_back()
        return answer

    def _missed(self, error: Exception) -> None:
        with self._lock:
            first, self._is_away = not self._is_away, True
            self._asked_again_at = monotonic() + self._rest_seconds
        if first:
            log.warning(f"{self._what} is away: going on without it", error=type(error).__name__)

    def _came_back(self) -> None:
        with self._lock:
            first, self._is_away = self._is_away, False
        if first:
            log.warning(f"{self._what} is back")
