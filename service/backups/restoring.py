"""Replace the current database with a backup: prepare it next to the current one, then rename it."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import make_url
from sqlalchemy.orm import Session

from service import clock, disk
from service.backups import encryption, making, postgresql_copy, rotation, sqlite_copy, staging
from service.backups.archive import About
from service.backups.errors import BackupError, NoRoom
from service.config.settings import Settings, file_url
from service.storage import database
from service.storage.database import Database

log = structlog.get_logger()
OTHER_KIND = {
    "sqlite": "This backup is of a PostgreSQL database and [database] url names a SQLite file.",
    "postgresql": "This backup is of a SQLite file and [database] url names PostgreSQL: restore it as a file, then say "
    "copy-database.",
}


@dataclass(frozen=True)
class Found:
    """A backup that was extracted and verified. Nothing is changed yet."""

    about: About
    copy: Path
    """The extracted database, in a staging folder next to the current one or next to the backups."""
    present: Path
    """What it will replace: a file, or the name of a database on a server."""


@contextmanager
def opened(file: Path, settings: Settings, ask: Callable[[], str] = lambda: "") -> Iterator[Found]:
    """Extract and verify a backup. Raises BackupError if it can't be restored here.

    `ask` is called for the passphrase of an encrypted backup if the environment has none.
    """
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    kind = "sqlite" if settings.database_file else "postgresql"
    present = settings.database_file or Path(make_url(settings.database_url).database or "")
    beside = present.parent if kind == "sqlite" else rotation.folder_of(settings)
    with making.in_words(beside), staging.opened(beside) as room:
        words = (encryption.passphrase() or ask()) if encryption.is_encrypted(file) else ""
        about, copy = making.taken_out(file, words, room, lambda: None)
        if about.database != kind:
            raise BackupError(OTHER_KIND[kind])
        if about.revision > database.newest_revision():
            raise BackupError(
                f"This backup was made by a newer version of Rounds (revision {about.revision}, this program knows "
                f"{database.newest_revision()}). Restore it with the newer program."
            )
        if about.revision not in database.revisions():
            raise BackupError("This backup doesn't say which version of Rounds made it. Use another one.")
        if kind == "sqlite":
            sqlite_copy.try_out(copy, about.revision, about.counts)
        else:
            postgresql_copy.try_out(copy, about.revision, about.counts, lambda: None)
        yield Found(about, copy, present)


def newest_good(settings: Settings) -> Path | None:
    """Return the newest backup that passes verification, or can't be verified here for lack of a passphrase."""
    for kept in rotation.kept(settings.backups):
        if encryption.is_encrypted(kept.file) and not encryption.passphrase():
            return kept.file
        try:
            with opened(kept.file, settings):
                return kept.file
        except NoRoom:
            return kept.file
        except BackupError as error:
            log.warning("not a good backup", file=kept.file.name, why=str(error))
    return None


def put_in_place(found: Found, settings: Settings, settle: Callable[[Session], None]) -> Path | None:
    """Upgrade the copy to this version, call `settle` on it, and swap it in.

    Returns where the previous data is kept; None if there was none. If the process is killed at any point, either the
    previous or the restored database is in place. Raises DatabaseError.
    """
    if found.about.database == "postgresql":
        return _put_on_server(found, settings, settle)
    copy = Database(file_url(found.copy))
    try:
        database.migrate(copy, settings.clinic)
        with copy.transaction() as session:
            settle(session)
    finally:
        copy.close()
    _make_one_file(found.copy)
    aside = _keep_present(found.present, settings)
    _like_present(found.present, found.copy)
    disk.flush(found.copy)  # now, to keep the time between the next two steps short
    _without_log(found.present)
    os.replace(found.copy, found.present)
    disk.flush_folder(found.present.parent)
    log.info("backup restored", made_at=found.about.made_at.isoformat(), kept=str(aside))
    return aside


def _put_on_server(found: Found, settings: Settings, settle: Callable[[Session], None]) -> Path | None:
    """Do the same on PostgreSQL, in one transaction."""
    present = Database(settings.database_url)
    try:
        if not postgresql_copy.is_alone(present):
            raise BackupError("The database is in use. Stop Rounds on every computer, then try again.")
        used = database.present_revision(present) is not None
        aside = making.make(present, settings, kind=rotation.BEFORE_RESTORE).file if used else None
        present.close()
        fill = partial(postgresql_copy.fill, file=found.copy)
        database.replace(present, found.about.revision, fill, settings.clinic, settle)
    finally:
        present.close()
    log.info("backup restored", made_at=found.about.made_at.isoformat(), kept=str(aside))
    return aside


def _keep_present(present: Path, settings: Settings) -> Path | None:
    """Back up the current database, or copy its files if it's too damaged for that."""
    files = (present, *_log_of(present))
    if not any(file.exists() for file in files):
        return None
    encryption.passphrase()  # raises for one that's too short; below, that would look like damage
    now = Database(file_url(present))
    try:
        return making.make(now, settings, kind=rotation.BEFORE_RESTORE).file
    except NoRoom:
        raise
    except BackupError:
        log.warning("could not back up the current database: keeping its files as they are")
    finally:
        now.close()
    folder = rotation.folder_of(settings) / f"damaged-{clock.now():%Y-%m-%dT%H%M%SZ}"
    folder.mkdir(mode=0o700)
    for file in files:
        if file.exists():
            shutil.copy2(file, folder / file.name)
    return folder


def _make_one_file(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def _without_log(present: Path) -> None:
    """Write the current database's log into it, and remove the log: SQLite must not apply it to the restored file."""
    if present.exists():
        _write_log(present)
    for file in _log_of(present):
        file.unlink(missing_ok=True)


def _write_log(present: Path) -> None:
    held = "Another program is using the database. Close it, then try again."
    try:
        with closing(sqlite3.connect(present)) as connection:
            if connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise BackupError(held)
    except sqlite3.OperationalError:
        raise BackupError(held) from None
    except sqlite3.DatabaseError:
        log.warning("could not read the current database's log: it is kept with the damaged files")


def _log_of(present: Path) -> tuple[Path, Path]:
    return present.with_name(f"{present.name}-wal"), present.with_name(f"{present.name}-shm")


def _like_present(present: Path, copy: Path) -> None:
    """Give the restored file the owner and mode of the current one, or the owner of its folder."""
    if present.exists():
        shutil.copymode(present, copy)
    disk.give_to_owner_of(present if present.exists() else present.parent, copy)
