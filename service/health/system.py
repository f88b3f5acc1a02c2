"""Describe this installation, on a page and as a file for support, without anything about patients."""

import platform
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service import __version__, clock
from service.backups import rotation
from service.backups.rotation import Kept
from service.config.settings import Settings
from service.domain.foundation import job_runs
from service.health import readiness
from service.health.health import Check
from service.jobs.make_backup import make_backup
from service.storage.database import newest_revision
from service.storage.models import Base, RunStatus

TOLD = {
    "clinic": ("timezone", "country", "language"),
    "server": ("host", "port", "threads"),
    "cache": ("type", "statistics_seconds"),
    "jobs": ("backend", "sheets_at", "reminders_at", "reports_day", "reports_at", "export_workers"),
    "exports": ("keep_hours",),
    "messages": ("hold", "daily_cap"),
    "email": ("enabled", "port", "security"),
    "sms": ("enabled",),
    "backup": ("at",),
}
"""Settings in a problem file: none that identifies the clinic."""


@dataclass(frozen=True)
class System:
    """The parts with their versions and sizes."""

    rounds: str
    revision: str
    python: str
    computer: str
    database: str
    database_bytes: int
    free_bytes: int
    backups: list[Kept]
    """In the folder, newest first."""
    second_folder: str
    second_is_there: bool


def describe(session: Session, settings: Settings) -> System:
    """Describe the current system."""
    second = settings.second_backups
    return System(
        rounds=__version__,
        revision=newest_revision(),
        python=platform.python_version(),
        computer=platform.platform(terse=True),
        database=_database(session),
        database_bytes=_size(session, settings),
        free_bytes=readiness.room(settings),
        backups=list(rotation.kept(settings.backups)),
        second_folder=str(second or ""),
        second_is_there=second is not None and second.is_dir(),
    )


def backup_under_way(session: Session) -> bool:
    """Return whether a backup is being made or queued."""
    run = job_runs.latest(session, make_backup.__name__)
    return run is not None and run.status in (RunStatus.QUEUED, RunStatus.RUNNING)


def problem_file(session: Session, settings: Settings, checks: list[Check]) -> str:
    """Return versions, states, counts, settings, and recent runs for support; no names, addresses, or texts."""
    return "\n".join(_lines(session, settings, checks)) + "\n"


def _lines(session: Session, settings: Settings, checks: list[Check]) -> Iterator[str]:
    found = describe(session, settings)
    yield f"Rounds {found.rounds}, revision {found.revision}, at {clock.now():%Y-%m-%d %H:%M:%S} UTC"
    yield f"{found.database}, {found.database_bytes} bytes; {found.free_bytes} bytes free"
    yield f"Python {found.python} on {found.computer}"
    yield f"{len(found.backups)} backups; second folder {'set' if found.second_folder else 'not set'}"
    yield "\n# Checks"
    yield from (f"{check.state}: {check.title}: {check.words}" for check in checks)
    yield "\n# Settings"
    for section, keys in TOLD.items():
        yield from (f"{section}.{key} = {getattr(getattr(settings, section), key)!r}" for key in keys)
    yield "\n# Rows"
    for table in Base.metadata.sorted_tables:
        yield f"{table.name}: {session.execute(select(func.count()).select_from(table)).scalar_one()}"
    yield "\n# Latest runs of jobs"
    for run in job_runs.history(session)[0]:
        began, ended = (f"{at:%Y-%m-%d %H:%M:%S}" if at else "-" for at in (run.started_at, run.finished_at))
        state = f"{run.job} {run.slot} {run.status} {run.trigger} {run.attempt}"
        yield f"{state}: {began} to {ended} {run.last_error or ''}"


def _database(session: Session) -> str:
    if session.get_bind().dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    return f"PostgreSQL {session.execute(text('SHOW server_version')).scalar_one()}"


def _size(session: Session, settings: Settings) -> int:
    """Return the size of the database in bytes, on SQLite including its log."""
    if session.get_bind().dialect.name != "sqlite":
        return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    file = settings.database_file
    files = (file, file.with_name(f"{file.name}-wal")) if file else ()
    return sum(one.stat().st_size for one in files if one.exists())
