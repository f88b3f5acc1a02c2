"""A closed folder to work in beside the result: only what is finished leaves it; what a kill left is cleared away."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def flush(file: Path) -> None:
    """See to it that the file's bytes are on the disk."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """See to it that names in a folder are on the disk, where the system knows how."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_owner_of(model: Path, *files: Path) -> None:
    """Let files belong to whom `model` belongs: who runs a command need not be who runs the service."""
    if hasattr(os, "chown"):
        was = model.stat()
        for file in files:
            with suppress(PermissionError):
                os.chown(file, was.st_uid, was.st_gid)


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
