"""Readiness: write to the database, and check disk, heartbeat, queued messages, and the last backup."""

import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.foundation import installation, job_runs
from service.domain.messages import deliveries, messages
from service.health import last_backup
from service.health.health import Check, the_clock
from service.jobs.make_backup import make_backup
from service.language.formats import Formats
from service.language.translation import gettext as _
from service.process.listening import is_loopback
from service.storage import database
from service.storage.database import Database

NO_ROOM = 5_000_000
LITTLE_ROOM = 500_000_000
"""In bytes: below the first, nothing is written; below the second, someone should free some space."""
SILENT = timedelta(minutes=2)
"""Four ticks."""
STUCK = timedelta(minutes=15)
FIRST_BACKUP, OLD_BACKUP = timedelta(days=1), timedelta(days=3)


def is_ready(checks: Sequence[Check]) -> bool:
    """Return whether nothing is down. Something late needs attention, but the service works."""
    return all(check.state != "down" for check in checks)


def checks(db: Database, settings: Settings) -> list[Check]:
    """Return the state of each part: ok, late, or down, without names of people."""
    written = [_written(db), _disk(settings)]
    try:
        with db.reading() as session:
            doubt = installation.clock_in_doubt(session)
            held = messages.are_held(session, settings.messages)
            return [
                *written,
                the_clock(doubt, settings),
                _scheduler(session, settings, doubt),
                _messages(None if held else deliveries.oldest_due(session)),
                _backup(session, settings),
                *_links(session, settings),
            ]
    except DBAPIError as error:
        return [*written, Check(_("Reading"), "down", database.explain(error))]


def room(settings: Settings) -> int:
    """Return the free bytes on the disk of the database file; on PostgreSQL, of the exports."""
    file = settings.database_file
    return shutil.disk_usage(file.parent if file else settings.base).free


def _written(db: Database) -> Check:
    title = _("Database")
    try:
        with db.transaction() as session:
            installation.note_check(session)
    except DBAPIError as error:
        return Check(title, "down", database.explain(error))
    return Check(title, "ok", _("can be read and written"))


def _disk(settings: Settings) -> Check:
    free = room(settings)
    size = {"size": last_backup.size(free, Formats(settings.clinic))}
    if free < NO_ROOM:
        return Check(_("Disk"), "down", _("full: %(size)s free; make room") % size)
    return Check(_("Disk"), "late" if free < LITTLE_ROOM else "ok", _("%(size)s free") % size)


def _scheduler(session: Session, settings: Settings, doubt: datetime | None) -> Check:
    title, ticked_at = _("Scheduler"), installation.ticked_at(session)
    if doubt:
        return Check(title, "late", _("waiting for the clock to be confirmed"))
    if ticked_at is None:
        return Check(title, "late", _("has not started yet"))
    if abs(clock.now() - ticked_at) > SILENT:
        if settings.jobs.backend == "celery":
            return Check(title, "down", _("has stopped: make sure that Celery beat and a worker are running"))
        return Check(title, "down", _("has stopped: restart the service"))
    return Check(title, "ok", _("starts each job on time"))


def _messages(oldest: datetime | None) -> Check:
    title = _("Messages")
    if oldest is None:
        return Check(title, "ok", _("none overdue"))
    minutes = int((clock.now() - oldest).total_seconds() // 60)
    words = _("the oldest should have been sent %(minutes)s minutes ago") % {"minutes": minutes}
    return Check(title, "down" if clock.now() - oldest > STUCK else "ok", words)


def wrong_links(settings: Settings, served_at: str | None) -> str | None:
    """Return why links in messages don't work, or None. `served_at` is the address of the last start."""
    link, served = urlsplit(settings.clinic.public_url), urlsplit(served_at or "")
    if not is_loopback(link.hostname):
        return None
    url = settings.clinic.public_url
    if settings.email.enabled or settings.sms.enabled:
        return _("start with %(url)s, which only this computer can open: set [clinic] public_url") % {"url": url}
    if served.port and is_loopback(served.hostname) and link.port != served.port:
        words = _("start with %(url)s, but Rounds answers at %(served)s: set [clinic] public_url")
        return words % {"url": url, "served": served_at}
    return None


def _links(session: Session, settings: Settings) -> list[Check]:
    """Return a check only if something is wrong."""
    wrong = wrong_links(settings, installation.served_at(session))
    return [Check(_("Links"), "late", wrong)] if wrong else []


def _backup(session: Session, settings: Settings) -> Check:
    title = _("Backup")
    if not settings.backup.folder:
        return Check(title, "late", _("not set up"))
    last = job_runs.latest_done(session, make_backup.__name__)
    if last is None or last.finished_at is None:
        if clock.now() - database.created_at(session) < FIRST_BACKUP:
            return Check(title, "ok", _("the first is made at %(time)s") % {"time": settings.backup.at})
        first = job_runs.first_opened_at(session, make_backup.__name__)
        old = first is not None and clock.now() - first > OLD_BACKUP
        return Check(title, "down" if old else "late", _("none was made yet"))
    old = clock.now() - last.finished_at > OLD_BACKUP
    words = last_backup.last_in_words(last, settings.clinic)
    state = "late" if last_backup.lacks_second(last.outcome or {}) else "ok"
    return Check(title, "down" if old else state, words)
