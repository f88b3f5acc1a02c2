"""The file of an open SQLite database, and whether its path still leads to it.

SQLite keeps writing to the file it opened, even after the file was moved or deleted. The next start wouldn't find what
was committed then.
"""

import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import NamedTuple
from urllib.parse import quote

from service import disk
from service.storage.database_log import DatabaseLog

BUSY_SECONDS = 5
HEADER_BYTES = 64
LOOK_AGAIN_SECONDS = 0.05
"""How long to wait before checking a missing file again, in case it's just being replaced."""


class Loss(StrEnum):
    """What can happen to the files of an open database."""

    MISSING = "missing"
    REPLACED = "replaced"
    CUT = "cut"
    OVERWRITTEN = "overwritten"
    LOG = "log"
    LOG_CUT = "log cut"


WORDS: Mapping[Loss, str] = {
    Loss.MISSING: "The database file {file} was moved or deleted while Rounds was using it.",
    Loss.REPLACED: "Another file was put in the place of the database {file} while Rounds was using it.",
    Loss.CUT: "The database file {file} was cut short by another program while Rounds was using it.",
    Loss.OVERWRITTEN: "The database {file} was overwritten by another program while Rounds was using it.",
    Loss.LOG: "{file}-wal or {file}-shm was moved or deleted while Rounds was using the database.",
    Loss.LOG_CUT: "{file}-wal was cut short or overwritten by another program while Rounds was using the database.",
}


class Identity(NamedTuple):
    """Identifies a file regardless of its name: device and inode, or the file index on Windows."""

    device: int
    number: int


class Header(NamedTuple):
    """The fields of a database file's header that show whether it's still the same database."""

    bytes: int
    """The size of the file according to its header."""
    changes: int
    """The change counter, which only increases."""
    mark: int
    """A number that programs can use."""

    @classmethod
    def read(cls, handle: int) -> "Header | None":
        """Read the header of an open file; None if it has none yet."""
        start = os.pread(handle, HEADER_BYTES, 0) if hasattr(os, "pread") else b""
        if len(start) < HEADER_BYTES:
            return None
        page, changes, pages, mark = struct.unpack(">16xH6xII28xI", start)
        return cls((page if page > 1 else 1 << 16) * pages, changes, mark)


class DatabaseFile:
    """A database file from the first connection on. All connections are to that same file, which must exist."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._log, self._index = (self.path.with_name(f"{self.path.name}-{end}") for end in ("wal", "shm"))
        self._lock = Lock()
        self._anchor: sqlite3.Connection | None = None
        """A connection that is never used. While it's open, SQLite keeps the same log."""
        self._handle: int | None = None
        """Open as long as the anchor, because closing it earlier would release SQLite's locks on the file."""
        self._inside_log: DatabaseLog | None = None
        """None also if the folder isn't writable, so that there is no log."""
        self._found: dict[Path, Identity] = {}
        self._size = 0
        self._header: Header | None = None
        self._mark: int | None = None

    def make(self) -> None:
        """Create the file, readable only by its owner, unless it exists. Its log gets the same mode. Raises OSError.

        A log without a file is renamed first: SQLite would remove it, and someone may still find the file.
        """
        if self.has_log_without_file():
            self.set_log_aside()
        with suppress(FileExistsError):
            disk.new(self.path).close()

    def has_log_without_file(self) -> bool:
        """Return whether there is a log with changes but no database."""
        return not self.path.exists() and self._log.exists() and self._log.stat().st_size > 0

    def connect(self) -> sqlite3.Connection:
        """Open a connection. Raises sqlite3.OperationalError if the file is missing or was replaced.

        It never creates a file, and never reads from a replacement.
        """
        with self._lock:
            if self._anchor is None:
                self._hold(self._opened())
        self._require_same()
        made = self._opened()
        try:
            self._require_same()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def is_open(self) -> bool:
        """Return whether there was a connection since the last close()."""
        return self._anchor is not None

    def loss(self) -> Loss | None:
        """Return what happened to the file since the first connection; None while its path leads to it."""
        if self._seen() is None:
            return None
        sleep(LOOK_AGAIN_SECONDS)
        return self._seen()

    @contextmanager
    def source(self) -> Iterator[sqlite3.Connection]:
        """A connection to copy from: to the open file, wherever it is now, or else to the one at the path."""
        if self._anchor is not None:
            yield self._anchor
        else:
            with closing(sqlite3.connect(self.path)) as opened:
                yield opened

    def mark(self) -> None:
        """Write a number of this run to the header, to recognize if another file is copied over it.

        Only for the one service of a file. Skipped while someone is reading.
        """
        number = secrets.randbits(31)
        if self._anchor is None or self._handle is None:
            return
        with suppress(sqlite3.Error):
            self._anchor.execute(f"PRAGMA user_version = {number}")
            self._anchor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        header = Header.read(self._handle)
        self._mark = number if header is not None and header.mark == number else None

    def set_log_aside(self) -> None:
        """Rename the log, so that SQLite doesn't apply it to other contents. Raises OSError."""
        if self._log.exists():
            self._log.rename(self._log.with_name(f"{self._log.name}.left-{secrets.token_hex(2)}"))

    def save_log(self) -> bool:
        """Write the log's contents to the open file, wherever it is now, and return whether that worked.

        If there is another log at the path, rename it: SQLite would treat it as the file's own.
        """
        if self._anchor is None:
            return False
        try:
            busy, _pages, _written = self._anchor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if self._log in self._found and _identity(self._log) not in (None, self._found[self._log]):
                self.set_log_aside()
        except (sqlite3.Error, OSError):
            return False
        return not busy

    def close(self) -> None:
        """Close the file, after all other connections are closed."""
        with self._lock:
            if self._anchor is not None:
                self._anchor.close()
            if self._inside_log is not None:
                self._inside_log.close()
            if self._handle is not None:
                os.close(self._handle)
            self._anchor = self._handle = self._inside_log = None
            self._found = {}

    def _hold(self, anchor: sqlite3.Connection) -> None:
        """Remember which files the first connection has opened. There is a log now."""
        try:
            anchor.execute("SELECT 1 FROM sqlite_master").fetchone()
            here = {file: _identity(file) for file in (self.path, self._log, self._index)}
            if None not in here.values():
                self._inside_log = DatabaseLog(self._log, self._index)
            self._handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except BaseException:
            anchor.close()
            raise
        self._size, self._header, self._mark = 0, None, None
        self._found = {file: identity for file, identity in here.items() if identity is not None}
        self._anchor = anchor

    def _opened(self) -> sqlite3.Connection:
        place = quote(self.path.as_posix())
        url = f"file://{place if place.startswith('/') else f'/{place}'}?mode=rw"
        made = sqlite3.connect(url, uri=True, timeout=BUSY_SECONDS, check_same_thread=False, isolation_level=None)
        try:
            _use_wal(made)
        except BaseException:
            made.close()
            raise
        return made

    def _require_same(self) -> None:
        """Raise sqlite3.OperationalError if the path leads to another file than the open one."""
        loss = self._seen_outside()
        if loss is not None:
            raise sqlite3.OperationalError(f"unable to open the database: its file is {loss}")

    def _seen(self) -> Loss | None:
        loss = self._seen_outside()
        if loss is not None or self._handle is None:
            return loss
        log_is_whole = self._inside_log is None or self._inside_log.is_whole()
        return self._seen_inside(self._handle) or (None if log_is_whole else Loss.LOG_CUT)

    def _seen_outside(self) -> Loss | None:
        """Return whether a path leads to another file than the open one."""
        for file, identity in self._found.items():
            try:
                here = _identity(file)
            except OSError:  # not accessible, which doesn't mean that it's gone
                continue
            if here != identity:
                return Loss.LOG if file != self.path else Loss.REPLACED if here else Loss.MISSING
        return None

    def _seen_inside(self, handle: int) -> Loss | None:
        """Return whether something other than SQLite wrote to the file."""
        header, size = Header.read(handle), os.fstat(handle).st_size
        before, self._header = self._header, header or self._header
        if size < self._size and (header is None or size < header.bytes):
            return Loss.CUT
        self._size = size
        if header is None:
            return None
        if self._mark not in (None, header.mark) or (before is not None and header.changes < before.changes):
            self._header = before
            return Loss.OVERWRITTEN
        return None


def _identity(file: Path) -> Identity | None:
    """Identify the file at a path; None if there is none. Raises OSError if that can't be determined."""
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity(found.st_dev, found.st_ino)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. The first connections to a new file may collide here, and SQLite doesn't let them wait."""
    deadline = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > deadline:
                raise
            sleep(0.02)
        else:
            return
