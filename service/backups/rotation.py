"""Name the files in the backup folder, and decide which of them to keep."""

import os
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from service import clock, disk
from service.backups.errors import BackupError
from service.config.settings import Settings

NIGHTLY = "nightly"
BEFORE_UPGRADE = "before-upgrade"
BEFORE_RESTORE = "before-restore"
BEFORE_WIPE = "before-wipe"
SPECIAL_KEPT = 3
"""How many backups of each special kind (before an upgrade, a restore, or a demo wipe) are always kept."""
RECENT = timedelta(days=2)
"""Backups younger than this are always kept, however many there are."""
PERIODS = (("%Y-%m-%d", 7), ("%G-%V", 4), ("%Y-%m", 12))
"""The latest backup is kept for each of the last 7 days, 4 weeks, and 12 months that have one."""

_name = re.compile(
    r"rounds-(\d{4}-\d\d-\d\dT\d{6}Z)-[0-9a-f]{4}(?:-(before-upgrade|before-restore|before-wipe))?\.zip(?:\.sealed)?",
    re.ASCII,
).fullmatch
_STAMP = "%Y-%m-%dT%H%M%SZ"


@dataclass(frozen=True)
class Kept:
    """A backup in the folder."""

    file: Path
    made_at: datetime
    kind: str

    @property
    def size(self) -> int:
        """Size in bytes; 0 if the file has just been removed."""
        try:
            return self.file.stat().st_size
        except OSError:
            return 0


def folder_of(settings: Settings) -> Path:
    """Return the backup folder, creating it if needed, with no access for other users. Raises BackupError."""
    folder = settings.backups
    try:
        is_new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_new:
            disk.give_to_owner_of(folder.parent, folder)
        if os.name != "nt":
            folder.chmod(0o700)
    except OSError as error:
        raise BackupError(
            f"Can't create the backup folder {folder} or restrict access to it ({error.strerror}). "
            "Check who owns it, or set [backup] folder to another one."
        ) from None
    return folder


def new_name(kind: str, *, sealed: bool) -> str:
    """Return the file name of a backup made now."""
    mark = "" if kind == NIGHTLY else f"-{kind}"
    return f"rounds-{clock.now():{_STAMP}}-{secrets.token_hex(2)}{mark}.zip{'.sealed' if sealed else ''}"


def kept(folder: Path) -> Sequence[Kept]:
    """Return the backups in a folder, newest first. Other files are ignored."""
    found = []
    try:
        files = list(folder.iterdir())
    except OSError:
        return []
    for file in files:
        named = _name(file.name)
        if named:
            made_at = datetime.strptime(named[1], _STAMP).replace(tzinfo=UTC)
            found.append(Kept(file, made_at, named[2] or NIGHTLY))
    return sorted(found, key=lambda one: (one.made_at, one.file.name), reverse=True)


def rotate(folder: Path, zone: ZoneInfo, just_made: Path) -> int:
    """Remove outdated backups, and return how many were removed."""
    removed = 0
    for one in outdated(kept(folder), zone):
        if one.file.name != just_made.name:
            try:
                one.file.unlink(missing_ok=True)
            except OSError:  # in use by another program (Windows): the next backup removes it
                continue
            removed += 1
    return removed


def outdated(backups: Sequence[Kept], zone: ZoneInfo) -> Iterable[Kept]:
    """Return the backups that no rule keeps, using days, weeks, and months in the clinic's time zone.

    Periods without a backup don't count, so a computer that was off for months loses nothing. The first backup of a
    day is kept, too, in case data was damaged during that day. Backups dated in the future, made while the clock was
    wrong, don't push out others.
    """
    true_ones = [one for one in backups if one.made_at <= clock.now() + timedelta(days=1)]
    keep: set[Path] = set()
    for kind in (BEFORE_UPGRADE, BEFORE_RESTORE, BEFORE_WIPE):
        keep.update(one.file for one in [one for one in true_ones if one.kind == kind][:SPECIAL_KEPT])
    keep.update(one.file for one in true_ones if one.made_at > clock.now() - RECENT)
    for number, (period, most) in enumerate(PERIODS):
        groups: dict[str, list[Path]] = {}
        for one in true_ones:
            if one.kind == NIGHTLY:
                groups.setdefault(f"{one.made_at.astimezone(zone):{period}}", []).append(one.file)
        for group in list(groups.values())[:most]:
            keep.add(group[0])
            if number == 0:
                keep.add(group[-1])
    return [one for one in true_ones if one.file not in keep]
