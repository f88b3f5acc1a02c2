"""Upgrade the database at startup, after a backup, and recompute appointment times when time zone rules change."""

from contextlib import closing

import structlog

from service import clock
from service.backups import making, missing_database, rotation
from service.backups.errors import BackupError
from service.config.settings import Settings
from service.domain.clinic import zone_changes
from service.storage import database
from service.storage.database import Database, DatabaseError

log = structlog.get_logger()


def migrate(db: Database, settings: Settings) -> str:
    """Upgrade the database to this version, and return its revision. A database with data is backed up first.

    Creates no database where other files show that a clinic has lost its own. If the rules of the clinic's time zone
    have changed, appointments keep their local times.

    Raises DatabaseError if the backup fails; the database is unchanged then. Without a backup folder or the programs
    PostgreSQL needs, the upgrade goes ahead without a backup.
    """
    database.check(db)
    present = database.present_revision(db)
    if present is None:
        missing_database.refuse(db, settings)
    elif present != database.newest_revision():
        _back_up_first(db, settings, present)
    zone = settings.clinic.zone
    former = clock.of_this_computer(zone)
    revision = database.migrate(db, settings.clinic, lambda session: zone_changes.keep(session, zone, former))
    if present is None:
        missing_database.note(db, settings)
    return revision


def begin_empty(settings: Settings) -> None:
    """Create an empty clinic, even if traces of another one exist. Raises DatabaseError if there is a database."""
    with closing(Database(settings.database_url)) as db:
        database.check(db)
        if database.present_revision(db) is not None:
            raise DatabaseError("There is already a database. Start without --new, or move it away first.")
        database.migrate(db, settings.clinic)


def _back_up_first(db: Database, settings: Settings, present: str) -> None:
    if not settings.backup.folder:
        log.warning("upgrade without a backup: [backup] folder is empty", revision=present)
        return
    try:
        made = making.make(db, settings, kind=rotation.BEFORE_UPGRADE)
    except BackupError as error:
        if not db.is_sqlite:
            log.warning("upgrade without a backup", why=str(error), revision=present)
            return
        raise BackupError(f"The database was not upgraded because it couldn't be backed up. {error}") from None
    log.info("backed up before the upgrade", file=made.file.name, revision=present)
