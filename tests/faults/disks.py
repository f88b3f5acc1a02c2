"""Small and read-only disks, made with tmpfs; and one in a file, whose power can be cut."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


def missing(what: str) -> None:
    """Skip the test for want of something; where nothing may be skipped, fail it."""
    if os.environ.get("ROUNDS_TEST_NOTHING_SKIPPED"):
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of so many bytes at a new folder."""
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(line, check=False, capture_output=True).returncode != 0:
        missing("the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """For the length of the block no one, not even root, may write to the disk at this folder."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on the disk of this folder; returns the file to remove for room."""
    file = folder / "somebody-elses-film"
    with file.open("ab", buffering=0) as film:
        for piece in (1 << 16, 1 << 12, 1):
            with suppress(_Full), _full():
                while True:
                    film.write(b"\0" * piece)
    return file


class _Full(Exception):
    """There is no room left."""


@contextmanager
def _full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _Full from None


@contextmanager
def ext4(image: Path, folder: Path) -> Iterator[Path]:
    """A disk in a file, as a real one loses power: what was not synced is not in the file. Made where it is missing."""
    if not image.exists():
        with image.open("wb") as made:
            made.truncate(96 * 1024 * 1024)
        _tried(["mkfs.ext4", "-q", "-F", str(image)], "mkfs.ext4")
    folder.mkdir()
    _tried(["mount", "-o", "loop,commit=300", str(image), str(folder)], "the right to mount, and a loop device")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _tried(line: list[str], needs: str) -> None:
    try:
        subprocess.run(line, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        missing(needs)
