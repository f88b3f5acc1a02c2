"""A closed folder to work in beside the result: only what is finished leaves it; what a kill left is cleared away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = ".rounds-work-"


@contextmanager
def opened(beside: Path) -> Iterator[Path]:
    """A new folder in `beside` that only its owner may enter, gone at the end of the block."""
    _clear_dead(beside)
    room = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
    lock = FileLock(room / "lock")
    lock.acquire()
    try:
        yield room
    finally:
        lock.release()
        shutil.rmtree(room, ignore_errors=True)


def _clear_dead(beside: Path) -> None:
    """Remove the rooms of processes that were killed: nobody holds their lock any more."""
    for room in beside.glob(f"{PREFIX}*"):
        lock = FileLock(room / "lock", timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue
        lock.release()
        shutil.rmtree(room, ignore_errors=True)
