"""A folder in which a clinic was, without its database: nothing may begin there as if it were new."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import is_zipfile

import structlog
from sqlalchemy import make_url

from service import disk
from service.backups import sealing, shelf
from service.config.settings import Settings
from service.domain.foundation import installation
from service.storage.database import Database, DatabaseError

log = structlog.get_logger()


def refuse(database: Database, settings: Settings) -> None:
    """Raises DatabaseError for an empty database, or none, where other files show that there was a clinic."""
    found = list(_traces(database, settings))
    if not found:
        return
    where = database.file.path if database.file is not None else make_url(settings.database_url).render_as_string()
    raise DatabaseError(
        f"There is no clinic in the database {where}, but there was one: found {', '.join(found)}. Put the database "
        f"back, check [database] url, or restore a backup: {restore_command(settings)} "
        f"To start with an empty clinic instead: {settings.command('serve --new')}"
    )


def restore_command(settings: Settings) -> str:
    """The command that puts the newest backup back."""
    newest = next(iter(_backups(settings)), None)
    return settings.command(f'restore "{newest}"' if newest else "restore FILE")


def note(database: Database, settings: Settings) -> None:
    """Write down beside the key that a clinic lives here, so that its database is missed once it is gone.

    Raises DBAPIError.
    """
    file = settings.clinic_id
    with database.reading() as session:
        clinic_id = installation.clinic_id(session)
    database.hold_to(clinic_id)
    known = clinic_id.encode()
    try:
        if not file.exists() or file.read_bytes().strip() != known:
            with disk.replacing(file) as target:
                target.write(known + b"\n")
            disk.give_to_owner_of(file.parent, file)
    except OSError as error:  # a folder that may only be read, of a clinic on a server
        log.warning("not noted that a clinic lives here", file=str(file), error=type(error).__name__)


def _traces(database: Database, settings: Settings) -> Iterator[str]:
    """What is left of a clinic, in words."""
    backups = _backups(settings)
    if backups:
        yield f"{len(backups)} {'backup' if len(backups) == 1 else 'backups'} in {backups[0].parent}"
    for folder in (settings.histories, settings.day_sheets, settings.imports):
        if any(file.is_file() and not file.name.startswith(".") for file in folder.glob("*")):
            yield f"files in {folder}"
    if (settings.clinic_id).exists():
        yield f"its id in {settings.clinic_id}"
    if database.file is not None and database.file.has_log_without_file():
        yield f"its latest changes in {database.file.path}-wal"


def _backups(settings: Settings) -> list[Path]:
    """Files that are backups and not only called so, newest first, those of the first folder before the second's."""
    folders = [one for one in (settings.backups, settings.second_backups) if one is not None]
    kept = [one.file for folder in folders for one in shelf.kept(folder)]
    return [file for file in kept if _is_backup(file)]


def _is_backup(file: Path) -> bool:
    try:
        return is_zipfile(file) or sealing.is_sealed(file)
    except OSError:  # it cannot be looked into: better ask than begin over it
        return True
