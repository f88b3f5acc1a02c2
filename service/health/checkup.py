"""`run.py check`: test settings, database, folders, clock, e-mail, SMS, and Redis. Each is ok or says what to do."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import time_ns

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from service import clock
from service.backups import missing_database
from service.config.settings import Settings
from service.domain.foundation import installation
from service.health import readiness
from service.notifications.channels import Channels
from service.notifications.email import Email
from service.notifications.message import DeliveryError, OutgoingMessage, Transport, Unsure, message_id
from service.notifications.sms import Sms
from service.storage import database, postgresql
from service.storage.database import DatabaseError
from service.storage.models import AuditEntry, Channel, Installation
from service.wiring import Wiring


class Trouble(Exception):
    """What is wrong, and what to do about it."""


def of_all(wiring: Wiring) -> Iterator[tuple[bool, str]]:
    """Yield, for each part, whether it's ok and a line about it."""
    settings, channels = wiring.settings, wiring.channels
    checks: list[tuple[str, Callable[[], str]]] = [
        ("settings", lambda: _settings(wiring)),
        ("database", lambda: _database(wiring)),
        ("folders", lambda: _folders(settings)),
        ("clock", lambda: _clock(wiring)),
        ("mail", lambda: _mail(wiring)),
        ("sms", lambda: _sms(channels, settings)),
    ]
    if settings.cache.type == "RedisCache":
        checks.append(("cache", lambda: _redis(settings.cache.redis_url)))
    if settings.jobs.backend == "celery":
        checks.append(("broker", lambda: _redis(settings.jobs.broker_url)))
    for title, check in checks:
        yield _line(title, check)


def send(channels: Channels, settings: Settings, to: str) -> tuple[bool, str]:
    """Send a test message to an e-mail address or a phone number."""
    name = Channel.EMAIL if "@" in to else Channel.SMS

    def deliver() -> str:
        if name == Channel.SMS and channels.sms is None:
            raise Trouble("SMS is off: set [sms] in config.toml, or name an e-mail address")
        return send_test(channels.of(name), settings, to)

    return _line(f"test message to {to}", deliver)


def send_test(channel: Transport, settings: Settings, to: str) -> str:
    """Send a test message, and return the server and its response. Raises DeliveryError, Unsure."""
    number = time_ns() // 1000
    text = f"A test message of {settings.clinic.name}. Whoever reads this: messages arrive.\n"
    identity = message_id(number, clock.now(), settings)
    message = OutgoingMessage(number, to, f"Test message of {settings.clinic.name}", text, message_id=identity)
    try:
        answer = channel.send(message, lambda: None)
    finally:
        channel.close()
    return f"taken by {channel.name}: {answer or 'written above'}"


def _line(title: str, check: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, f"ok {title}: {check()}"
    except (Trouble, DeliveryError, Unsure, DatabaseError) as error:
        return False, f"{title}: {error}"
    except DBAPIError as error:
        return False, f"{title}: {database.explain(error)}"
    except OSError as error:
        return False, f"{title}: {error.filename or 'the system'}: {error.strerror or error}"


def _settings(wiring: Wiring) -> str:
    """Mention settings that may be intended; they are no failure."""
    served_at = None
    if _revision(wiring) == database.newest_revision():
        with wiring.database.reading() as session:
            served_at = installation.served_at(session)
    wrong = readiness.wrong_links(wiring.settings, served_at)
    return f"read; links {wrong or f'begin with {wiring.settings.clinic.public_url}'}"


def _database(wiring: Wiring) -> str:
    kind, present, newest = wiring.database.engine.dialect.name, _revision(wiring), database.newest_revision()
    if present is None:
        missing_database.refuse(wiring.database, wiring.settings)
        return f"{kind}, empty: the first start makes its tables"
    if present != newest:
        return f"{kind} at revision {present}: the next start brings it to {newest}"
    database.require_structure(wiring.database)
    with wiring.database.transaction() as session:  # gets the write lock, but writes nothing
        session.execute(select(Installation.id))
        by_index = wiring.database.is_sqlite or postgresql.has_name_index(session.connection())
    slower = "" if by_index else "; names are found without an index: the next start makes it where pg_trgm is there"
    return f"{kind} at revision {present}, can be written{slower}"


def _revision(wiring: Wiring) -> str | None:
    """Return the revision of the database, without creating a SQLite file."""
    file = wiring.database.engine.url.database or ""
    if wiring.database.is_sqlite and not Path(file).exists():
        return None
    return database.present_revision(wiring.database)


def _folders(settings: Settings) -> str:
    for folder in (settings.histories, settings.day_sheets, settings.imports):
        there = next(one for one in (folder, *folder.parents) if one.exists())
        if not there.is_dir() or not os.access(there, os.W_OK):
            raise Trouble(f"{there} cannot be written: check who owns it, or set [exports] folder")
    return f"{Path(settings.base / settings.exports.folder)} can be written"


def _clock(wiring: Wiring) -> str:
    now = clock.now()
    if _revision(wiring) == database.newest_revision():
        with wiring.database.reading() as session:
            latest, doubt = session.scalar(select(func.max(AuditEntry.at))), installation.clock_in_doubt(session)
        if doubt is not None:
            raise Trouble(
                f"it shows {_wall(wiring, now)}, but Rounds ran last at {_wall(wiring, doubt)}, so nothing is sent by "
                "itself: set it right, or say on the page System that it is right"
            )
        if latest is not None and latest > now:
            raise Trouble(
                f"it shows {_wall(wiring, now)}, but something was done at {_wall(wiring, latest)}: set it right"
            )
    return f"{_wall(wiring, now)} in {wiring.settings.clinic.timezone}"


def _wall(wiring: Wiring, at: datetime) -> str:
    return f"{at.astimezone(wiring.settings.clinic.zone):%Y-%m-%d %H:%M}"


def _mail(wiring: Wiring) -> str:
    settings, channel = wiring.settings, wiring.channels.email
    demo = _is_demo(wiring)
    if not isinstance(channel, Email):
        return "off; a demo clinic's mail stays here" if demo else "off: nobody is told by e-mail; set [email]"
    channel.try_out()
    answers = f"{settings.email.host}:{settings.email.port} answers, {settings.email.security}"
    kept = "; a demo clinic's mail stays here, except to addresses at demo.example" if demo else ""
    return f"{answers}{kept}"


def _is_demo(wiring: Wiring) -> bool:
    if _revision(wiring) != database.newest_revision():
        return False
    with wiring.database.reading() as session:
        return installation.is_demo(session)


def _sms(channels: Channels, settings: Settings) -> str:
    if not isinstance(channels.sms, Sms):
        return "off"
    channels.sms.try_out()
    return "the gateway can be reached"


def _redis(url: str) -> str:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
    except RedisError:
        raise Trouble("Redis does not answer: check that it runs, its address and its password") from None
    return "Redis answers"
