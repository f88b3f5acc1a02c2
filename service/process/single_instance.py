"""Allow only one service per SQLite database. A second one, or a restore, is told where the first is running."""

from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy.exc import DBAPIError

from service.config.settings import Settings, file_url
from service.domain.foundation import installation
from service.storage.database import Database, DatabaseError


class AlreadyRunning(DatabaseError):
    """Another process serves this database at `address`; None if it is still starting."""

    def __init__(self, address: str | None) -> None:
        super().__init__(f"Rounds is already running on {address or 'an unknown address'} with this database.")
        self.address = address


def instance_lock(settings: Settings) -> AbstractContextManager[object]:
    """Return the lock that is held while the service runs. On PostgreSQL, several services are allowed.

    Raises AlreadyRunning with the address of the running service, or DatabaseError if the folder isn't writable.
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
    """Return the address of the running service; None while it is creating the database."""
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
    """Holds the instance lock across restarts, so that no other process can take over in between."""

    def __init__(self) -> None:
        self._held = ExitStack()
        self._url = ""

    def hold(self, settings: Settings) -> None:
        """Lock this database, and release any other. Raises AlreadyRunning, DatabaseError."""
        if settings.database_url == self._url:
            return
        self.release()
        self._held.enter_context(instance_lock(settings))
        self._url = settings.database_url

    def release(self) -> None:
        """Release the lock."""
        self._held.close()
        self._url = ""
