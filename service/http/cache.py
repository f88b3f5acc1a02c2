"""Answers that may be a little old: the figures of each role, kept five minutes by Flask-Caching.

Plain dicts under explicit keys, one for each role and doctor, asked for inside the permission check; many
simultaneous misses compute once, with Redis also those of several processes.
What a crowd asks at the same moment is kept for a second or two, always in this process.
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
    """Set the cache up as the settings say."""
    kind = SharedCache if settings.cache.type == "RedisCache" else OwnCache
    app.extensions["rounds figures"] = kind(app, settings.cache)
    _rush.init_app(app)


def dashboard_stats(actor: Actor, *, refresh: bool = False) -> ClinicFigures:
    """The clinic's figures for the admin, at most five minutes old; `refresh` counts them anew. Raises Forbidden."""
    if actor.role != Role.ADMIN:
        raise Forbidden(_("Only administrators can see the clinic's statistics."))
    zone = context.wiring().settings.clinic.zone
    return _kept("dashboard_stats:clinic", lambda: statistics.dashboard_stats(context.reading(), zone), refresh=refresh)


def doctor_stats(actor: Actor) -> DoctorFigures:
    """What a doctor sees of their own visits, at most five minutes old. Raises Forbidden."""
    zone, doctor_id = context.wiring().settings.clinic.zone, actor.doctor_id
    if actor.role != Role.DOCTOR or doctor_id is None:
        raise Forbidden(_("These statistics are for doctors and reception."))
    key = f"doctor_stats:{doctor_id}"
    return _kept(key, lambda: statistics.doctor_stats(context.reading(), doctor_id, zone))


def desk_stats(actor: Actor) -> DeskFigures:
    """What the desk sees of the day, at most five minutes old. Raises Forbidden."""
    if actor.role != Role.RECEPTIONIST:
        raise Forbidden(_("These statistics are for doctors and reception."))
    zone = context.wiring().settings.clinic.zone
    return _kept("desk_stats:clinic", lambda: statistics.desk_stats(context.reading(), zone))


def _kept(key: str, compute: Callable[[], Figures], *, refresh: bool = False) -> Figures:
    cache = cast(OwnCache, current_app.extensions["rounds figures"])
    kept = None if refresh else cast(Figures | None, cache.get(key))
    if kept is None:
        with _computing, cache.one_at_a_time(key):
            # Somebody else may have counted while we waited.
            kept = None if refresh else cast(Figures | None, cache.get(key))
            if kept is None:
                kept = compute()
                cache.set(key, kept)
    return kept


def in_a_rush(key: str, compute: Callable[[], T]) -> T:
    """What many ask within a moment, computed for the first of them; nothing of one person's may be in it."""
    kept = _rush.get(key)
    if kept is None:
        kept = compute()
        _rush.set(key, kept)
    return cast(T, kept)
