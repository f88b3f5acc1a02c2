"""Detect a folder that had a clinic but has lost its database, so that no new clinic starts there by mistake."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import is_zipfile

import structlog
from sqlalchemy import make_url

from service import disk
from service.backups import encryption, rotation
from service.config.settings import Settings
from service.domain.foundation import installation
from service.storage.database import Database, DatabaseError

log = structlog.get_logger()


def refuse(database: Database, settings: Settings) -> None:
    """Raise DatabaseError if the database is empty or missing, but other files show that there was a clinic."""
    found = list(_traces(database, settings))
    if not found:
        return
    where = database.file.path if database.file is not None else make_url(settings.database_url).render_as_string()
    raise DatabaseError(
        f"There is no clinic in the database {where}, but there was one before: found {', '.join(found)}. Put the "
        f"database back, check [database] url, or restore a backup: {restore_command(settings)} "
        f"To start with an empty clinic instead: {settings.command('serve --new')}"
    )


def restore_command(settings: Settings) -> str:
    """Return the command that restores the newest backup."""
    newest = next(iter(_backups(settings)), None)
    return settings.command(f'restore "{newest}"' if newest else "restore FILE")


def note(database: Database, settings: Settings) -> None:
    """Write the clinic's id to a file next to the key, so that a missing database is noticed. Raises DBAPIError."""
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
    except OSError as error:  # the folder may be read-only if the database is on a server
        log.warning("could not write the clinic's id", file=str(file), error=type(error).__name__)


def _traces(database: Database, settings: Settings) -> Iterator[str]:
    """Describe what is left of a clinic."""
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
    """Return real backups, not just files named like one: newest first, the second folder's last."""
    folders = [one for one in (settings.backups, settings.second_backups) if one is not None]
    kept = [one.file for folder in folders for one in rotation.kept(folder)]
    return [file for file in kept if _is_backup(file)]


def _is_backup(file: Path) -> bool:
    try:
        return is_zipfile(file) or encryption.is_encrypted(file)
    except OSError:  # it can't be read: assume it's a backup
        return True
