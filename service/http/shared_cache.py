"""The cache of statistics: in this process, or in Redis for all processes of the clinic.

Redis gets JSON, never pickles: anyone who can write there must not be able to run code here. While Redis is down,
everything is computed as if nothing were cached.
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
"""Other versions may cache other statistics."""
PATIENCE_SECONDS = 0.2
"""Timeout of each Redis call, and so the longest delay of a page by a Redis that doesn't respond."""
COMPUTING_SECONDS, WAITING_SECONDS = 20.0, 5.0
"""How long the lock of a computing process lasts, and how long the others wait for it."""


class OwnCache:
    """A cache in this process."""

    def __init__(self, app: Flask, section: CacheSection) -> None:
        self._cache = _installed(app, section)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Return the cached value, or None."""
        return cast(Mapping[str, Any] | None, self._cache.get(key))

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Cache a value for as long as the settings say."""
        self._cache.set(key, value)

    @contextmanager
    def one_at_a_time(self, _key: str) -> Iterator[None]:
        """Do nothing, because no other process shares this cache."""
        yield


class SharedCache(OwnCache):
    """A cache in Redis, shared by all processes."""

    def __init__(self, app: Flask, section: CacheSection) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.exceptions import ConnectionError, RedisError
        from redis.retry import Retry

        options: dict[str, Any] = {
            "socket_timeout": PATIENCE_SECONDS,
            "socket_connect_timeout": PATIENCE_SECONDS,
            "retry": Retry(NoBackoff(), 1, (ConnectionError,)),  # reconnect after a restart of Redis
        }
        self._cache = _installed(
            app, section, CACHE_REDIS_URL=section.redis_url, CACHE_OPTIONS=options, CACHE_SERIALIZER=_Json
        )
        self._redis = Redis.from_url(section.redis_url, **options)
        self._breaker = CircuitBreaker("the Redis of the cache", (RedisError,))

    def get(self, key: str) -> Mapping[str, Any] | None:
        """Return the cached value, or None; also None while Redis is down."""
        return self._breaker.ask(lambda: super(SharedCache, self).get(key))

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Cache a value for all processes, unless Redis is down."""
        self._breaker.ask(lambda: super(SharedCache, self).set(key, value))

    @contextmanager
    def one_at_a_time(self, key: str) -> Iterator[None]:
        """Hold a lock while one process computes. Others wait a while, then look again or compute themselves."""
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
    """Reads JSON objects, and treats anything else as missing."""

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
