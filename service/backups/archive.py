"""The file format of a backup: a ZIP with the database, the settings, and a description of what is inside."""

import errno
import filecmp
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from service.backups.errors import BackupError

ABOUT = "about.json"
PIECE = 1024 * 1024
FORMAT = 1
NOT_OURS = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""Errors raised for a file that isn't a backup, or is damaged."""

Keep = Callable[[], None]
"""Called between pieces: renews a claim, or raises to stop."""


@dataclass(frozen=True)
class About:
    """The description inside a backup."""

    made_at: datetime
    program: str
    revision: str
    database: str
    """`sqlite` or `postgresql`."""
    content: str
    """The file name of the database inside: `rounds.db` or `rounds.dump`."""
    counts: Mapping[str, int]
    """Table -> number of rows."""

    def as_json(self) -> str:
        """Return the JSON to put into the file."""
        return json.dumps({"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}, indent=1)


def pack(target: IO[bytes], about: About, content: Path, others: Mapping[str, Path], keep: Keep) -> None:
    """Write a backup: its description, the database, and other files under the given names."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        packed.writestr(ABOUT, about.as_json())
        for name, file in {**others, about.content: content}.items():
            with file.open("rb") as source, packed.open(name, "w", force_zip64=True) as entry:
                _copy(source, entry, keep)


def unpack(source: IO[bytes], folder: Path, keep: Keep) -> tuple[About, Path]:
    """Extract the database to a folder, and return the description and that file. Raises BackupError."""
    try:
        with zipfile.ZipFile(source) as packed:
            about = read_about(packed)
            file = folder / about.content
            _require_room(packed.getinfo(about.content).file_size, folder)
            with packed.open(about.content) as entry, file.open("wb") as target:
                _copy(entry, target, keep)
    except NOT_OURS:
        raise BackupError("This file isn't a Rounds backup, or it's damaged. Use another one.") from None
    return about, file


def read_about(packed: zipfile.ZipFile) -> About:
    """Return the description. Raises BackupError, or one of NOT_OURS."""
    if packed.getinfo(ABOUT).file_size > PIECE:
        raise ValueError(ABOUT)
    said: dict[str, Any] = json.loads(packed.read(ABOUT))
    if said.pop("format") != FORMAT:
        raise BackupError("This backup was made by a newer version of Rounds. Use that version to restore it.")
    about = About(**{**said, "made_at": datetime.fromisoformat(said["made_at"])})
    if about.content not in ("rounds.db", "rounds.dump") or about.made_at.tzinfo is None:
        raise ValueError(about.content)
    if not all(isinstance(rows, int) for rows in about.counts.values()) or not isinstance(about.revision, str):
        raise TypeError(about.revision)
    return about


def _require_room(size: int, folder: Path) -> None:
    """Raise OSError if there isn't enough room, before anything is written."""
    if size > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))


def _copy(source: IO[bytes], target: IO[bytes], keep: Keep) -> None:
    while piece := source.read(PIECE):
        target.write(piece)
        keep()


def copy_file(source: Path, target: Path) -> None:
    """Copy a finished backup, readable only by its owner where the file system supports that."""
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def same(one: Path, other: Path) -> bool:
    """Return whether two files hold the same bytes."""
    filecmp.clear_cache()
    return filecmp.cmp(one, other, shallow=False)
