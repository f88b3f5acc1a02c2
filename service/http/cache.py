"""Cached statistics of each role, at most five minutes old, in Flask-Caching.

The cache holds plain dicts under explicit keys, one per role and doctor, and is only read inside the permission check.
Simultaneous misses compute once (single-flight), with Redis even across processes. What many people request at the
same moment is cached for two seconds, always in this process.
"""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar, cast

from flask import Flask, current_app
from flask_caching import Cache

from service.config.settings import Settings
from service.domain.foundation.actor import Actor, Role
from service.domain.foundation.errors import Forbidden
from service.domain.reports import statistics
from service.domain.reports.live_figures import ClinicFigures, DeskFigures, DoctorFigures
from service.http import context
from service.http.shared_cache import OwnCache, SharedCache
from service.language.translation import gettext as _

RUSH_SECONDS = 2
T = TypeVar("T")
Figures = TypeVar("Figures", ClinicFigures, DoctorFigures, DeskFigures)

_rush = Cache(config={"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": RUSH_SECONDS})
_computing = Lock()


def install(app: Flask, settings: Settings) -> None:
    """Set up the cache from the settings."""
    kind = SharedCache if settings.cache.type == "RedisCache" else OwnCache
    app.extensions["rounds figures"] = kind(app, settings.cache)
    _rush.init_app(app)


def dashboard_stats(actor: Actor, *, refresh: bool = False) -> ClinicFigures:
    """Return the clinic's statistics for an administrator; `refresh` recomputes them. Raises Forbidden."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only administrators can see the clinic's statistics."))
    zone = context.wiring().settings.clinic.zone
    return _kept("dashboard_stats:clinic", lambda: statistics.dashboard_stats(context.reading(), zone), refresh=refresh)


def doctor_stats(actor: Actor) -> DoctorFigures:
    """Return the statistics of a doctor's own appointments. Raises Forbidden."""
    zone, doctor_id = context.wiring().settings.clinic.zone, actor.doctor_id
    if actor.role != Role.DOCTOR or doctor_id is None:
        raise Forbidden(_("These statistics are for doctors and reception."))
    key = f"doctor_stats:{doctor_id}"
    return _kept(key, lambda: statistics.doctor_stats(context.reading(), doctor_id, zone))


def desk_stats(actor: Actor) -> DeskFigures:
    """Return reception's statistics of the day. Raises Forbidden."""
    if actor.role != Role.RECEPTIONIST:
        raise Forbidden(_("These statistics are for doctors and reception."))
    zone = context.wiring().settings.clinic.zone
    return _kept("desk_stats:clinic", lambda: statistics.desk_stats(context.reading(), zone))


def _kept(key: str, compute: Callable[[], Figures], *, refresh: bool = False) -> Figures:
    cache = cast(OwnCache, current_app.extensions["rounds figures"])
    kept = None if refresh else cast(Figures | None, cache.get(key))
    if kept is None:
        with _computing, cache.one_at_a_time(key):
            # Another request may have computed them while this one waited.
            kept = None if refresh else cast(Figures | None, cache.get(key))
            if kept is None:
                kept = compute()
                cache.set(key, kept)
    return kept


def in_a_rush(key: str, compute: Callable[[], T]) -> T:
    """Return what many people request at once, computed for the first of them. It must hold no personal data."""
    kept = _rush.get(key)
    if kept is None:
        kept = compute()
        _rush.set(key, kept)
    return cast(T, kept)
