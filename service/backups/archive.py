"""One backup as one file: a ZIP with the database, the settings, and a page about what is inside."""

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

Keep = Callable[[], None]
"""Called between pieces: keeps a claim alive, or raises to stop."""


@dataclass(frozen=True)
class About:
    """What a backup says of itself."""

    made_at: datetime
    program: str
    revision: str
    database: str
    """`sqlite` or `postgresql`."""
    content: str
    """The name of the database inside: `rounds.db` or `rounds.dump`."""
    counts: Mapping[str, int]
    """Table -> rows."""

    def as_json(self) -> str:
        """For the file."""
        return json.dumps({"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}, indent=1)


def pack(target: IO[bytes], about: About, content: Path, others: Mapping[str, Path], keep: Keep) -> None:
    """Write a backup: what it says of itself, the database, other files under names of their own."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as packed:
        packed.writestr(ABOUT, about.as_json())
        for name, file in {**others, about.content: content}.items():
            with file.open("rb") as source, packed.open(name, "w", force_zip64=True) as entry:
                _copy(source, entry, keep)


def unpack(source: IO[bytes], folder: Path, keep: Keep) -> tuple[About, Path]:
    """Write a backup's database to a folder; returns what the backup says, and that file. Raises BackupError."""
    try:
        with zipfile.ZipFile(source) as packed:
            about = read_about(packed)
            file = folder / about.content
            with packed.open(about.content) as entry, file.open("wb") as target:
                _copy(entry, target, keep)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, TypeError, NotImplementedError):
        raise BackupError("This file is no backup of Rounds, or it is damaged: use another one.") from None
    return about, file


def read_about(packed: zipfile.ZipFile) -> About:
    """What a backup says of itself. Raises BackupError, ValueError, KeyError, TypeError."""
    said: dict[str, Any] = json.loads(packed.read(ABOUT))
    if said.pop("format") != FORMAT:
        raise BackupError("This backup was made by a newer version of Rounds: use that one to restore it.")
    about = About(**{**said, "made_at": datetime.fromisoformat(said["made_at"])})
    if about.content not in ("rounds.db", "rounds.dump"):
        raise ValueError(about.content)
    return about


def _copy(source: IO[bytes], target: IO[bytes], keep: Keep) -> None:
    while piece := source.read(PIECE):
        target.write(piece)
        keep()


def copy_file(source: Path, target: Path) -> None:
    """Copy a finished backup elsewhere, readable by its owner only where the disk knows owners."""
    target.touch(mode=0o600)
    shutil.copyfile(source, target)


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    filecmp.clear_cache()
    return filecmp.cmp(one, other, shallow=False)
