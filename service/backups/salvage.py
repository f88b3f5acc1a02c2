"""Save what can be saved when the database file is lost while the service is running."""

from contextlib import suppress
from typing import assert_never

import structlog

from service.backups import making, missing_database
from service.backups.errors import BackupError
from service.config.settings import Settings
from service.storage.database import Database, DatabaseLost
from service.storage.database_file import DatabaseFile, Loss

log = structlog.get_logger()


def salvaged(database: Database, settings: Settings, lost: DatabaseLost) -> DatabaseLost:
    """Save what is still open, and return an error that says what to do. Call it when nothing uses the database."""
    if database.file is None or lost.loss is None:
        restore = missing_database.restore_command(settings)
        said = f"{lost} Check [database] url, or restore the newest backup: {restore}"
    else:
        said = f"{lost} {_way_out(database, database.file, settings, lost.loss)}"
    log.error("stopping: the database is lost", why=said)
    return DatabaseLost(said)


def _way_out(database: Database, file: DatabaseFile, settings: Settings, loss: Loss) -> str:
    match loss:
        case Loss.MISSING | Loss.REPLACED:
            file.save_log()
            return _aside(database, file, settings)
        case Loss.LOG:
            if not file.save_log():
                return _aside(database, file, settings)
            return f"Everything that was saved is in {file.path.name}: start Rounds again."
        case Loss.CUT | Loss.OVERWRITTEN:
            with suppress(OSError):
                file.set_log_aside()
            return f"Restore the newest backup: {missing_database.restore_command(settings)}"
        case Loss.LOG_CUT:
            with suppress(OSError):
                file.set_log_aside()
            return (
                f"The latest changes may be lost. Start Rounds again to go on with what is in {file.path.name}, or "
                f"restore the newest backup: {missing_database.restore_command(settings)}"
            )
        case _:
            assert_never(loss)


def _aside(database: Database, file: DatabaseFile, settings: Settings) -> str:
    """Back up the open database, whatever is at its path now, and return what to do next."""
    try:
        made = making.make(database, settings).file
    except BackupError as error:
        log.warning("could not back up the open database", why=str(error))
        return f"Put {file.path.name} back, or restore a backup: {missing_database.restore_command(settings)}"
    command = settings.command(f'restore "{made}"')
    return f"Everything that was saved is in {made}. Put {file.path.name} back where it was, or restore that: {command}"
