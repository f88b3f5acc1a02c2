"""The file of a SQLite database while a process uses it, and whether its path still names what is open.

SQLite keeps writing to the file it has opened, wherever that was moved and even after it was deleted. What is committed
then is in no file that the next start will find.
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
"""A file that is being put back in one step is looked at a second time before anyone is told that it is gone."""


class Loss(StrEnum):
    """What can happen to the files of a database in use."""

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
    """Which file it is, whatever its name: device and inode, or the file index on Windows."""

    device: int
    number: int


class Header(NamedTuple):
    """The first bytes of a database file, as far as they show whether it is still the same one."""

    bytes: int
    """How long the file says it is."""
    changes: int
    """Counts up, and never down."""
    mark: int
    """A number that is free for programs."""

    @classmethod
    def read(cls, handle: int) -> "Header | None":
        """The header of an open file; None where it has none, or none yet."""
        start = os.pread(handle, HEADER_BYTES, 0) if hasattr(os, "pread") else b""
        if len(start) < HEADER_BYTES:
            return None
        page, changes, pages, mark = struct.unpack(">16xH6xII28xI", start)
        return cls((page if page > 1 else 1 << 16) * pages, changes, mark)


class DatabaseFile:
    """A database file from the first connection to it on. All connections are to that very file, which must exist."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._log, self._index = (self.path.with_name(f"{self.path.name}-{end}") for end in ("wal", "shm"))
        self._lock = Lock()
        self._anchor: sqlite3.Connection | None = None
        """Never used by a page: while it is open, SQLite keeps the same log beside the file."""
        self._handle: int | None = None
        """Open as long as the anchor is: closing it earlier would give up SQLite's own locks on the file."""
        self._inside_log: DatabaseLog | None = None
        """None also where the folder may not be written, so that there is no log."""
        self._found: dict[Path, Identity] = {}
        self._size = 0
        self._header: Header | None = None
        self._mark: int | None = None

    def make(self) -> None:
        """Make the file, for its owner only, unless there is one; its log takes after it. Raises OSError.

        A log without its file is set aside: SQLite would remove it, and someone may still find the file.
        """
        if self.has_log_without_file():
            self.set_log_aside()
        with suppress(FileExistsError):
            disk.new(self.path).close()

    def has_log_without_file(self) -> bool:
        """Whether changes lie there, and the database they belong to does not."""
        return not self.path.exists() and self._log.exists() and self._log.stat().st_size > 0

    def connect(self) -> sqlite3.Connection:
        """Open a connection. Raises sqlite3.OperationalError where there is no file, or another one by now.

        It is never made silently, and nobody ever reads from a file that took its place.
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
        """Whether a connection was made since the last close()."""
        return self._anchor is not None

    def loss(self) -> Loss | None:
        """What happened to the file since the first connection; None while its path names what is open."""
        if self._seen() is None:
            return None
        sleep(LOOK_AGAIN_SECONDS)
        return self._seen()

    @contextmanager
    def source(self) -> Iterator[sqlite3.Connection]:
        """A connection to copy from: to the file that is open, wherever that is by now, or else to the one there."""
        if self._anchor is not None:
            yield self._anchor
        else:
            with closing(sqlite3.connect(self.path)) as opened:
                yield opened

    def mark(self) -> None:
        """Put a number of this run into the header, by which the contents of another file are told from these.

        Only for the one service of a file. Where someone reads just now, there is none.
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
        """Rename the log, so that SQLite does not lay it over contents that are not the file's own. Raises OSError."""
        if self._log.exists():
            self._log.rename(self._log.with_name(f"{self._log.name}.left-{secrets.token_hex(2)}"))

    def save_log(self) -> bool:
        """Write what stands only in the log into the file that is open, wherever that is by now; whether that worked.

        A log that lies there and is another one is set aside: SQLite would take it for the file's own.
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
        """Let the file go, once all other connections are closed."""
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
        """Remember which files a first connection has opened; now there is a log."""
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
        """Raises sqlite3.OperationalError when the path names another file than the one that is open."""
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
        """Whether a name leads to another file than the one that is open."""
        for file, identity in self._found.items():
            try:
                here = _identity(file)
            except OSError:  # it cannot be seen, which is not to say that it is gone
                continue
            if here != identity:
                return Loss.LOG if file != self.path else Loss.REPLACED if here else Loss.MISSING
        return None

    def _seen_inside(self, handle: int) -> Loss | None:
        """Whether someone wrote into the file past SQLite, which itself only lets it grow, or says so first."""
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
    """Which file lies there; None where there is none. Raises OSError where that cannot be told."""
    try:
        found = os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Identity(found.st_dev, found.st_ino)


def _use_wal(connection: sqlite3.Connection) -> None:
    """The first connections to a new file may meet while switching it to WAL, and SQLite lets none of them wait."""
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
