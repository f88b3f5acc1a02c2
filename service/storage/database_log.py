"""Check that the log of an open SQLite database is intact, because SQLite itself doesn't.

The log is the `-wal` file and its index is the `-shm` file; SQLite documents both formats. If another program
truncates the log or writes to it, changes that aren't in the database file yet are lost, and SQLite would continue
with zeros instead.
"""

import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

INDEX_BYTES = 48
LOG_BYTES = 32
FRAME_BYTES = 24
"""The size of the header before each page."""


class _Index(NamedTuple):
    """The part of the index that describes the log. The two salts are copied from the log."""

    page_bytes: int
    frames: int
    salts: bytes

    @classmethod
    def read(cls, start: bytes) -> "_Index":
        page, frames, salts = struct.unpack("=14xHI12x8s8x", start)
        return cls(page if page > 1 else 1 << 16, frames, salts)


class DatabaseLog:
    """The log and its index, open for reading as long as the database is."""

    def __init__(self, log: Path, index: Path) -> None:
        """Open both. Raises OSError."""
        with ExitStack() as opened:
            self._log = _open(opened, log)
            self._index = _open(opened, index)
            self._opened = opened.pop_all()

    def is_whole(self) -> bool:
        """Return whether everything that was committed only to the log is there, or that can't be determined."""
        if not hasattr(os, "pread"):
            return True
        before = os.pread(self._index, INDEX_BYTES, 0)
        start, size = os.pread(self._log, LOG_BYTES, 0), os.fstat(self._log).st_size
        if len(before) < INDEX_BYTES or os.pread(self._index, INDEX_BYTES, 0) != before:
            return True  # someone is writing; the next commit checks again
        index = _Index.read(before)
        if not index.frames:
            return True
        return size >= LOG_BYTES + index.frames * (FRAME_BYTES + index.page_bytes) and start[16:24] == index.salts

    def close(self) -> None:
        """Close both, after all connections are closed; earlier, it would release SQLite's locks on the index."""
        self._opened.close()


def _open(opened: ExitStack, file: Path) -> int:
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    opened.callback(os.close, handle)
    return handle
