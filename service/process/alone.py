"""One service a SQLite database: a second one, or a restore, is told where the first one runs."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import DBAPIError

from service.config.settings import Settings, file_url
from service.domain.foundation import installation
from service.storage.database import Database, DatabaseError


class AlreadyRunning(DatabaseError):
    """Another process serves this database at `address`, or is about to and has none yet."""

    def __init__(self, address: str | None) -> None:
        super().__init__(f"Rounds is already running on {address or 'an unknown address'} with this database.")
        self.address = address


def only_one(settings: Settings) -> AbstractContextManager[object]:
    """Held while the service runs. PostgreSQL may have several.

    Raises AlreadyRunning naming the address of the one that runs, or DatabaseError when the folder cannot be written.
    """
    file = settings.database_file
    if file is None:
        return nullcontext()
    lock = FileLock(file.with_name(f"{file.name}.lock"), timeout=0)
    try:
        return lock.acquire()
    except Timeout:
        raise AlreadyRunning(_address(file)) from None
    except OSError as error:
        raise DatabaseError(f"The folder {file.parent} cannot be written: {error.strerror}.") from None


def _address(file: Path) -> str | None:
    """Where the first one runs; None while it is making the database."""
    if not file.exists():
        return None
    database = Database(file_url(file))
    try:
        with database.reading() as session:
            return installation.served_at(session)
    except DBAPIError:
        return None
    finally:
        database.close()


class Claim:
    """Being the only one, over all rounds of a service: while it restarts, no other process can take over."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._url = ""

    def hold(self, settings: Settings) -> None:
        """Claim this database, and no other any more. Raises AlreadyRunning, DatabaseError."""
        if settings.database_url == self._url:
            return
        self.release()
        self._held.enter_context(only_one(settings))
        self._url = settings.database_url

    def release(self) -> None:
        """Let others in."""
        self._held.close()
        self._url = ""
