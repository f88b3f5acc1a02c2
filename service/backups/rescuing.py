"""What is done for a clinic whose database file was lost while the service used it."""

import structlog

from service.backups import making
from service.backups.errors import BackupError
from service.config.settings import Settings
from service.storage.database import Database, DatabaseLost
from service.storage.database_file import DatabaseFile, Loss

log = structlog.get_logger()


def rescued(database: Database, settings: Settings, lost: DatabaseLost) -> DatabaseLost:
    """Save what is still open, and say what to do. Nothing may use the database any more."""
    if database.file is None or lost.loss is None:
        return lost
    saved = database.file.save_log()
    if lost.loss == Loss.LOG and saved:
        way_out = f"Everything that was saved is in {database.file.path.name}: start Rounds again."
    else:
        way_out = _aside(database, database.file, settings)
    said = f"{lost} {way_out}"
    log.error("stopping: the database is lost", why=said)
    return DatabaseLost(said)


def _aside(database: Database, file: DatabaseFile, settings: Settings) -> str:
    """Back up the database that is open, whatever lies at its path; the way out."""
    try:
        made = making.make(database, settings).file
    except BackupError as error:
        log.warning("what was open could not be backed up", why=str(error))
        return f"Put {file.path.name} back, or restore a backup: {settings.command('restore FILE')}"
    command = settings.command(f'restore "{made}"')
    return f"Everything that was saved is in {made}. Put {file.path.name} back where it was, or restore that: {command}"
