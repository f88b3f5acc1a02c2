"""Wipes a demo clinic: a proven backup first, then one transaction leaves an empty database, as new."""

import structlog

from service.backups import making, rotation
from service.config.settings import Settings
from service.domain.foundation import demo_mark
from service.storage import database
from service.storage.database import Database

log = structlog.get_logger()


def back_up(db: Database, settings: Settings) -> str:
    """Back the demo clinic up and try the backup out; returns the file's name. Raises BackupError."""
    return making.make(db, settings, kind=rotation.BEFORE_WIPE).file.name


def wipe(db: Database, settings: Settings) -> None:
    """Empty the database, and remove files that were made of it. Nothing else may use it meanwhile.

    A kill at any point leaves the demo clinic or the empty database. Raises Conflict when something was entered by
    hand, and DatabaseError.
    """
    database.recreate(db, demo_mark.check_untouched)
    db.forget()
    for folder in (settings.histories, settings.day_sheets, settings.imports):
        for file in folder.glob("*") if folder.is_dir() else ():
            if file.is_file():
                file.unlink(missing_ok=True)
    log.info("demo clinic wiped")
