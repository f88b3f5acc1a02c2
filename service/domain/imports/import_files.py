"""Store uploaded files between the steps of an import, with their owner and the choices so far."""

import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service import clock, disk
from service.domain.imports.import_columns import ImportKind

_id = re.compile(r"[0-9a-f]{32}").fullmatch
KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Upload:
    """An import in progress."""

    id: str
    """128 random bits, in hexadecimal."""
    user_id: int | None
    """The only user who can continue it."""
    kind: ImportKind
    file_name: str
    created_at: datetime
    columns: dict[str, int] = field(default_factory=dict)
    day_first: bool | None = None
    added: int | None = None
    """How many rows it added, once it's done."""
    present: int | None = None

    @property
    def is_done(self) -> bool:
        """Return whether it was imported, so that its file is gone."""
        return self.added is not None


def keep(folder: Path, upload: Upload, data: bytes) -> None:
    """Store a new upload completely or not at all, with no access for other users of the computer."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        note(folder, upload)
        with disk.replacing(_file(folder, upload.id)) as target:
            target.write(data)
    except OSError:
        remove(folder, upload)
        raise


def note(folder: Path, upload: Upload) -> None:
    """Store the details of an upload."""
    facts = {**asdict(upload), "created_at": upload.created_at.isoformat()}
    with disk.replacing(_facts(folder, upload.id)) as target:
        target.write(json.dumps(facts).encode())


def load(folder: Path, upload_id: str) -> Upload | None:
    """Return an upload by its id; None if it doesn't exist, or its file was removed before being imported."""
    if not _id(upload_id):
        return None
    try:
        facts: dict[str, Any] = json.loads(_facts(folder, upload_id).read_bytes())
        kind, created_at = ImportKind(facts["kind"]), datetime.fromisoformat(facts["created_at"])
    except (FileNotFoundError, ValueError):
        return None
    upload = Upload(**{**facts, "kind": kind, "created_at": created_at})
    return upload if upload.is_done or _file(folder, upload_id).exists() else None


def content(folder: Path, upload: Upload) -> bytes | None:
    """Return the uploaded data; None if it was imported or removed meanwhile."""
    with suppress(FileNotFoundError):
        return _file(folder, upload.id).read_bytes()
    return None


def of_user(folder: Path, user_id: int | None) -> list[Upload]:
    """Return a user's uploads of the last day, newest first."""
    found = [load(folder, file.stem) for file in folder.glob("*.json")]
    mine = [upload for upload in found if upload is not None and upload.user_id == user_id]
    return sorted(mine, key=lambda upload: upload.created_at, reverse=True)


def settle(folder: Path, upload: Upload, added: int, present: int) -> None:
    """Store the result of an import, unless a repeated click has already been handled, and remove its file."""
    known = load(folder, upload.id)
    if known is None or not known.is_done:
        note(folder, replace(upload, added=added, present=present))
    _file(folder, upload.id).unlink(missing_ok=True)


def remove(folder: Path, upload: Upload) -> None:
    """Remove an upload and its details."""
    _file(folder, upload.id).unlink(missing_ok=True)
    _facts(folder, upload.id).unlink(missing_ok=True)


def old(folder: Path) -> list[Path]:
    """Return files that are older than a day, and can't be continued."""
    oldest = (clock.now() - KEPT).timestamp()
    return [file for file in folder.glob("*") if file.is_file() and file.stat().st_mtime < oldest]


def waiting_since_before(folder: Path, at: datetime) -> list[Path]:
    """Return files that were uploaded before an instant and not imported, with their details."""
    uploaded = [file for file in folder.glob("*.csv") if disk.may_be_from_before(file, at, clock.now())]
    return [*uploaded, *(_facts(folder, file.stem) for file in uploaded)]


def _file(folder: Path, upload_id: str) -> Path:
    return folder / f"{upload_id}.csv"


def _facts(folder: Path, upload_id: str) -> Path:
    return folder / f"{upload_id}.json"
