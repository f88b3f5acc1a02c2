"""What every start brings up to date: the database's tables, after a backup, and appointments' instants."""

from contextlib import closing

import structlog

from service import clock
from service.backups import lost_clinic, making, shelf
from service.backups.errors import BackupError
from service.config.settings import Settings
from service.domain.clinic import zone_changes
from service.storage import database
from service.storage.database import Database, DatabaseError

log = structlog.get_logger()


def migrate(db: Database, settings: Settings) -> str:
    """Bring the database to this version and return its revision; one that holds data is backed up first.

    None is made where other files show that a clinic has lost its own.

    Then appointments keep their local times, should the rules of the clinic's zone have changed.

    Raises DatabaseError, with the database as it was, when that backup cannot be made. Without a folder of backups,
    or without the programs PostgreSQL needs for one, it goes on: there somebody else sees to backups.
    """
    database.check(db)
    present = database.present_revision(db)
    if present is None:
        lost_clinic.refuse(db, settings)
    elif present != database.newest_revision():
        _back_up_first(db, settings, present)
    zone = settings.clinic.zone
    former = clock.of_this_computer(zone)
    revision = database.migrate(db, settings.clinic, lambda session: zone_changes.keep(session, zone, former))
    if present is None:
        lost_clinic.note(db, settings)
    return revision


def begin_empty(settings: Settings) -> None:
    """Make an empty clinic, whatever is left of another one. Raises DatabaseError where there is a database."""
    with closing(Database(settings.database_url)) as db:
        database.check(db)
        if database.present_revision(db) is not None:
            raise DatabaseError("There is a database already: start without --new, or move it away first.")
        database.migrate(db, settings.clinic)


def _back_up_first(db: Database, settings: Settings, present: str) -> None:
    if not settings.backup.folder:
        log.warning("upgrade without a backup: [backup] folder is empty", revision=present)
        return
    try:
        made = making.make(db, settings, kind=shelf.BEFORE_UPGRADE)
    except BackupError as error:
        if not db.is_sqlite:
            log.warning("upgrade without a backup", why=str(error), revision=present)
            return
        raise BackupError(f"The database was not upgraded, because it could not be backed up first. {error}") from None
    log.info("backed up before the upgrade", file=made.file.name, revision=present)
