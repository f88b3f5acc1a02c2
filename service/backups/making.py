"""Make a backup: copy the database, pack it, extract it again, and check it. Only then does it get its name."""

import errno
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from service import __version__, clock, disk
from service.backups import archive, encryption, postgresql_copy, rotation, sqlite_copy, staging
from service.backups.archive import About, Keep
from service.backups.errors import BackupError, NoRoom
from service.config.settings import Settings
from service.storage.database import Database, explain, present_revision

log = structlog.get_logger()


class SecondCopy(StrEnum):
    """What happened to the copy in the second folder."""

    COPIED = "copied"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class Made:
    """A verified backup."""

    file: Path
    about: About
    size: int
    second: SecondCopy | None
    """None if no second folder is configured."""

    def as_outcome(self) -> dict[str, Any]:
        """Return the outcome to store with the job run."""
        counts = self.about.counts
        return {
            "file": self.file.name,
            "visits": counts.get("appointments", 0),
            "patients": counts.get("patients", 0),
            "bytes": self.size,
            "tested": True,
            "second": self.second,
        }


def make(
    database: Database,
    settings: Settings,
    *,
    kind: str = rotation.NIGHTLY,
    output: Path | None = None,
    keep: Keep = lambda: None,
) -> Made:
    """Back up the database to the backup folder or to `output`. Raises BackupError, and leaves nothing behind then.

    `keep` is called between steps and may raise to stop.
    """
    words = encryption.passphrase()
    file = output or rotation.folder_of(settings) / rotation.new_name(kind, sealed=bool(words))
    with in_words(file.parent), staging.opened(file.parent) as room:
        about, finished = _packed(database, settings, room, keep)
        if words:
            encryption.encrypt(finished, room / "sealed", words, keep)
            finished.unlink()
            finished = room / "sealed"
        _try_out(finished, about, words, room, keep)
        disk.give_to_owner_of(file.parent, finished)
        disk.put_in_place(finished, file)
        disk.flush_folder(file.parent)
    if output is None:
        rotation.rotate(file.parent, settings.clinic.zone, file)
    second = _second(settings, file) if output is None else None
    log.info("backup made", file=file.name, bytes=file.stat().st_size, second=second)
    return Made(file, about, file.stat().st_size, second)


def _packed(database: Database, settings: Settings, room: Path, keep: Keep) -> tuple[About, Path]:
    """Copy the current database into one packed file in the staging folder."""
    content = "rounds.db" if database.is_sqlite else "rounds.dump"
    copied, finished = room / content, room / "packed"
    made_at = clock.now()
    if database.file is not None:
        if not (database.file.is_open or database.file.path.exists()):
            raise BackupError("There is no database yet: nothing to back up.")
        with database.file.source() as source:
            sqlite_copy.copy(source, copied)
        counts, revision = sqlite_copy.counts(copied), sqlite_copy.revision(copied)
    else:
        counts, revision = postgresql_copy.copy(database, copied, keep), present_revision(database) or ""
    keep()
    about = About(made_at, __version__, revision, "sqlite" if database.is_sqlite else "postgresql", content, counts)
    with disk.new(finished) as target:
        archive.pack(target, about, copied, _others(settings), keep)
    copied.unlink()
    return about, finished


def _try_out(finished: Path, about: About, words: str, room: Path, keep: Keep) -> None:
    """Extract the backup as a restore would, and check all of it."""
    said, copied = taken_out(finished, words, room, keep)
    if said != about:
        raise BackupError("The backup can't be read back correctly. Check the disk.")
    if about.database == "sqlite":
        sqlite_copy.try_out(copied, about.revision, about.counts)
    else:
        postgresql_copy.try_out(copied, about.revision, about.counts, keep)
    keep()


def taken_out(file: Path, words: str, room: Path, keep: Keep) -> tuple[About, Path]:
    """Decrypt a backup if needed, and extract its database to the staging folder. Raises BackupError."""
    plain = file
    if encryption.is_encrypted(file):
        plain = room / "decrypted"
        encryption.decrypt(file, plain, words, keep)
    with plain.open("rb") as source:
        found = archive.unpack(source, room, keep)
    if plain is not file:
        plain.unlink()
    return found


def _others(settings: Settings) -> Mapping[str, Path]:
    """Return other files to back up: the settings and custom message texts. Exports and day sheets can be redone."""
    file, texts = settings.base / "config.toml", settings.message_templates
    named = {file.name: file} if file.is_file() else {}
    if texts is not None and texts.is_dir():
        found = sorted(file for file in texts.rglob("*.txt") if file.is_file())
        named |= {f"message-templates/{file.relative_to(texts).as_posix()}": file for file in found}
    return named


def _second(settings: Settings, file: Path) -> SecondCopy | None:
    """Copy a backup to the second folder, if configured. A missing folder is not an error."""
    folder = settings.second_backups
    if folder is None:
        return None
    if not folder.is_dir():
        log.warning("second backup folder missing", folder=str(folder))
        return SecondCopy.MISSING
    try:
        with staging.opened(folder) as room:
            archive.copy_file(file, room / file.name)
            if not archive.same(file, room / file.name):
                raise OSError(errno.EIO, "What was written reads differently")
            disk.put_in_place(room / file.name, folder / file.name)
        rotation.rotate(folder, settings.clinic.zone, file)
    except OSError:
        log.exception("second backup failed", folder=str(folder))
        return SecondCopy.FAILED
    return SecondCopy.COPIED


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Turn errors of the disk or the database into a BackupError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise NoRoom(_no_room(folder)) from None
        raise BackupError(f"Can't copy the database ({error}). Check its disk, and keep older backups.") from None
    except DBAPIError as error:
        raise BackupError(explain(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(_no_room(folder)) from None
        raise BackupError(f"{error.filename or folder} cannot be written: {error.strerror}.") from None


def _no_room(folder: Path) -> str:
    return f"There isn't enough space for a backup in {folder}. Free some, or set [backup] folder to another disk."
