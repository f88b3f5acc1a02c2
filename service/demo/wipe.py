"""Wipe a demo clinic: make a verified backup, then empty the database in one transaction."""

import structlog

from service.backups import making, rotation
from service.config.settings import Settings
from service.domain.foundation import demo_mark
from service.storage import database
from service.storage.database import Database

log = structlog.get_logger()


def back_up(db: Database, settings: Settings) -> str:
    """Back up the demo clinic, verify the backup, and return the file's name. Raises BackupError."""
    return making.make(db, settings, kind=rotation.BEFORE_WIPE).file.name


def wipe(db: Database, settings: Settings) -> None:
    """Empty the database, and remove files made from it. Nothing else may use it meanwhile.

    If the process is killed, either the demo clinic or the empty database is left. Raises Conflict if someone has
    entered data, and DatabaseError.
    """
    database.recreate(db, demo_mark.check_untouched)
    db.forget()
    for folder in (settings.histories, settings.day_sheets, settings.imports):
        for file in folder.glob("*") if folder.is_dir() else ():
            if file.is_file():
                file.unlink(missing_ok=True)
    log.info("demo clinic wiped")
