"""Whether the log of a SQLite database still holds what its index says: SQLite itself never checks that while in use.

The log is the file that ends in `-wal`, the index the one that ends in `-shm`; both formats are part of SQLite's
documentation. A change that is in the log and not yet in the database file is lost when another program cuts the log
short or writes into it, and SQLite would go on with zeros in its place.
"""

import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

INDEX_BYTES = 48
LOG_BYTES = 32
FRAME_BYTES = 24
"""What stands in front of each page."""


class _Index(NamedTuple):
    """The part of the index that describes the log. The two salts are copied from the log as they are."""

    page_bytes: int
    frames: int
    salts: bytes

    @classmethod
    def read(cls, start: bytes) -> "_Index":
        page, frames, salts = struct.unpack("=14xHI12x8s8x", start)
        return cls(page if page > 1 else 1 << 16, frames, salts)


class DatabaseLog:
    """The log and its index, opened to be looked into for as long as the database is in use."""

    def __init__(self, log: Path, index: Path) -> None:
        """Open both. Raises OSError."""
        with ExitStack() as opened:
            self._log = _open(opened, log)
            self._index = _open(opened, index)
            self._opened = opened.pop_all()

    def is_whole(self) -> bool:
        """Whether everything is there that was committed and is only in the log; also where that cannot be told."""
        if not hasattr(os, "pread"):
            return True
        before = os.pread(self._index, INDEX_BYTES, 0)
        start, size = os.pread(self._log, LOG_BYTES, 0), os.fstat(self._log).st_size
        if len(before) < INDEX_BYTES or os.pread(self._index, INDEX_BYTES, 0) != before:
            return True  # someone is writing: anyone who commits next looks again
        index = _Index.read(before)
        if not index.frames:
            return True
        return size >= LOG_BYTES + index.frames * (FRAME_BYTES + index.page_bytes) and start[16:24] == index.salts

    def close(self) -> None:
        """Let both go, once all connections are closed: earlier would give up SQLite's own locks on the index."""
        self._opened.close()


def _open(opened: ExitStack, file: Path) -> int:
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    opened.callback(os.close, handle)
    return handle
