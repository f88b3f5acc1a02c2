"""A private temporary folder next to the result. Leftovers of killed processes are removed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = ".rounds-work-"


@contextmanager
def opened(beside: Path) -> Iterator[Path]:
    """Create a folder in `beside` that only its owner can open, and remove it at the end of the block."""
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
    """Remove the folders of killed processes: their locks are no longer held."""
    for room in beside.glob(f"{PREFIX}*"):
        lock = FileLock(room / "lock", timeout=0)
        try:
            lock.acquire()
        except (Timeout, OSError):
            continue
        lock.release()
        shutil.rmtree(room, ignore_errors=True)
