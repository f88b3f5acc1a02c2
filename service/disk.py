"""Atomic file writes (temporary file, flush, rename) and the age of files."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY = 0o600
BUFFER = 1 << 18


@contextmanager
def replacing(file: Path, *, mode: int = OWNER_ONLY, one_writer: bool = False) -> Iterator[BinaryIO]:
    """Yield a new file that replaces `file` at the end of the block, after its bytes are on the disk.

    If the block or the disk fails, `file` is unchanged, and no partial file is left. `one_writer` is for files with
    only one writer at a time: it overwrites the partial file of a killed writer. Otherwise, each writer uses its own.
    Raises OSError.
    """
    part = file.with_name(f"{file.name}.part") if one_writer else _own_part(file)
    if one_writer:
        part.unlink(missing_ok=True)
    try:
        with _flushed(part, mode) as target:
            yield target
        os.replace(part, file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def write_first(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read, unless it exists: the first writer wins. Raises OSError.

    On a file system without hard links, such as a USB drive, the last writer wins.
    """
    part = _own_part(file)
    try:
        with _flushed(part, OWNER_ONLY) as target:
            target.write(content)
        try:
            os.link(part, file)
        except FileExistsError:
            pass
        except OSError:
            os.replace(part, file)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def may_be_from_before(file: Path, at: datetime, now: datetime) -> bool:
    """Return whether a file was last written before an instant, or its time is in the future and means nothing."""
    try:
        written = file.stat().st_mtime
    except FileNotFoundError:
        return False
    return written <= at.timestamp() or written > now.timestamp()


def put_in_place(made: Path, file: Path) -> None:
    """Flush a finished file, then rename it to its final name on the same disk. Raises OSError."""
    flush(made)
    os.replace(made, file)


def new(file: Path, mode: int = OWNER_ONLY) -> BinaryIO:
    """Open a new file for writing. Raises FileExistsError."""
    return open(file, "xb", buffering=BUFFER, opener=partial(os.open, mode=mode))


def flush(file: Path) -> None:
    """Make sure the file's bytes are on the disk."""
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())


def flush_folder(folder: Path) -> None:
    """Make sure the names in a folder are on the disk, if the system supports it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_owner_of(model: Path, *files: Path) -> None:
    """Give files the owner of `model`: a command may be run by another user than the service."""
    if hasattr(os, "chown"):
        was = model.stat()
        for file in files:
            with suppress(PermissionError):
                os.chown(file, was.st_uid, was.st_gid)


def _own_part(file: Path) -> Path:
    return file.with_name(f"{file.name}.{secrets.token_hex(4)}.part")


@contextmanager
def _flushed(file: Path, mode: int) -> Iterator[BinaryIO]:
    with new(file, mode) as target:
        yield target
        target.flush()
        os.fsync(target.fileno())
