"""Where the figures are kept: in this process, or in Redis for all processes of the clinic.

Redis gets JSON, never pickles: who may write there must not be able to run code here. While it is away every answer
is computed, as if nothing had been kept.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, cast

from cachelib.serializers import JSONSerializer
from flask import Flask
from flask_caching import Cache

from service import __version__
from service.circuit_breaker import CircuitBreaker
from service.config.settings import CacheSection

PREFIX = f"rounds:{__version__}:"
"""Another version may keep other figures."""
PATIENCE_SECONDS = 0.2
"""For each answer of Redis; a page is never held up longer by one that is silent."""
COMPUTING_SECONDS, WAITING_SECONDS = 20.0, 5.0
"""How long one process at most keeps the others from computing the same, and how long they wait for it."""


class OwnCache:
    """Kept in this process."""

    def __init__(self, app: Flask, section: CacheSection) -> None:
        self._cache = _installed(app, section)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What is kept under the key, or None."""
        return cast(Mapping[str, Any] | None, self._cache.get(key))

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep it for as long as the settings say."""
        self._cache.set(key, value)

    @contextmanager
    def one_at_a_time(self, _key: str) -> Iterator[None]:
        """Nothing to do: no other process sees what is kept here."""
        yield


class SharedCache(OwnCache):
    """Kept in Redis, seen by all processes."""

    def __init__(self, app: Flask, section: CacheSection) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError, RedisError
        from redis.retry import Retry

        options: dict[str, Any] = {
            "socket_timeout": PATIENCE_SECONDS,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "retry": Retry(NoBackoff(), 1, (ConnectionError,)),  # a connection that a restart has cut is made anew
        }
        self._cache = _installed(
            app, section, CACHE_REDIS_URL=section.redis_url, CACHE_OPTIONS=options, CACHE_SERIALIZER=_Json
        )
        self._redis = Redis.from_url(section.redis_url, **options)
        self._breaker = CircuitBreaker("the Redis of the cache", (RedisError,))

    def get(self, key: str) -> Mapping[str, Any] | None:
        """What is kept under the key, or None; also None while Redis is away."""
        return self._breaker.ask(lambda: super(SharedCache, self).get(key))

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Keep it for all processes, unless Redis is away."""
        self._breaker.ask(lambda: super(SharedCache, self).set(key, value))

    @contextmanager
    def one_at_a_time(self, key: str) -> Iterator[None]:
        """Held by one process while it computes; the others wait a while, then look again or compute themselves."""
        from redis.exceptions import RedisError

        lock = self._redis.lock(f"{PREFIX}lock:{key}", timeout=COMPUTING_SECONDS, sleep=0.05)
        held = self._breaker.ask(lambda: lock.acquire(blocking_timeout=WAITING_SECONDS))
        try:
            yield
        finally:
            if held:
                with suppress(RedisError):  # it ends by itself
                    lock.release()


class _Json(JSONSerializer):
    """JSON objects; what else may lie there is as good as nothing."""

    def loads(self, bvalue: str | bytes | bytearray | None, *_args: Any, **_kwargs: Any) -> Any:
        try:
            value = json.loads(bvalue or "null")
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def _installed(app: Flask, section: CacheSection, **more: Any) -> Cache:
    cache = Cache()
    base = {
        "CACHE_TYPE": section.type,
        "CACHE_DEFAULT_TIMEOUT": section.statistics_seconds,
        "CACHE_KEY_PREFIX": PREFIX,
    }
    cache.init_app(app, config={**base, **more})
    return cache
