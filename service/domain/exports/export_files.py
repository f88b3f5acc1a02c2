"""The file of an export: its contents, its place, and writing it completely or not at all.

It's written as NAME.part, flushed, and renamed. Only then does its row become available.
"""

import re
import shutil
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from service import disk
from service.config.settings import Clinic, Settings
from service.domain.exports import clinic_zip, history_tables
from service.domain.exports.export_formats import FORMATS, Contents
from service.domain.exports.history_tables import History, Progress
from service.domain.foundation import audit
from service.domain.foundation.actor import Actor
from service.domain.foundation.errors import NotFound
from service.domain.patients import patients
from service.language.translation import gettext as _
from service.storage.models import Appointment, ExportFormat, Treatment

AMPLE = 1 << 30
"""With this many free bytes, the size of a history isn't estimated before writing it."""
ROW_BYTES = 500
"""The most that the names, times, and punctuation of a row take, besides its texts."""
_suffixes = "|".join(form.suffix for form in FORMATS.values())
_name = re.compile(rf"([0-9a-f]{{32}})\.(?:{_suffixes})(\.[0-9a-f]{{8}}\.part)?", re.ASCII).fullmatch


def count(session: Session, patient_id: int | None, contents: Contents) -> int:
    """Return how many rows an export of a patient, or of the whole clinic (None), will have."""
    if patient_id is None:
        return clinic_zip.count(session)
    return history_tables.count(session, patient_id, contents.tables)


def produce(
    session: Session,
    patient_id: int | None,
    contents: Contents,
    file: Path,
    clinic: Clinic,
    progress: Progress = lambda rows: None,
) -> int:
    """Write a patient's history, or the whole clinic (None), from one consistent state. Returns the number of rows."""

    with disk.replacing(file) as target:
        if patient_id is None:
            return clinic_zip.write(session, clinic, target, progress)
        return contents.form.write(session, History(patient_id, contents.tables, clinic), target, progress)


def has_room(session: Session, patient_id: int | None, contents: Contents, folder: Path) -> bool:
    """Return whether there is enough space. With plenty of space, the size isn't estimated."""
    free = shutil.disk_usage(folder).free
    if patient_id is not None and free >= AMPLE:
        return True
    return free >= _expected_bytes(session, patient_id, contents)


def _expected_bytes(session: Session, patient_id: int | None, contents: Contents) -> int:
    """Return a rough upper limit of the size in bytes. A ZIP counts like one of its files."""
    if patient_id is None:
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        query = pages if is_sqlite else "SELECT pg_database_size(current_database())"
        return int(session.execute(text(query)).scalar_one())
    names = ("symptoms", "diagnosis", "treatment", "prescription", "notes")
    letters = sum((func.length(getattr(Treatment, name)) for name in names), start=func.length(Treatment.visit_type))
    total = select(func.sum(letters)).join(Treatment.appointment).where(Appointment.patient_id == patient_id)
    return ROW_BYTES * count(session, patient_id, contents) + 2 * int(session.scalar(total) or 0)


def file_of(folder: Path, export_id: str, format: ExportFormat) -> Path:
    """Return the path of a finished file. The id and format come from a row, never from a request."""
    return folder / f"{export_id}.{FORMATS[format].suffix}"


def folder_of(settings: Settings) -> Path:
    """Return the folder of finished exports, creating it if needed, with no access for other users."""
    folder = settings.histories
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def close_folder(settings: Settings) -> None:
    """Remove other users' access to the folder, in case someone has granted it."""
    folder = folder_of(settings)
    with suppress(OSError):  # not our folder, or no permissions on this file system
        folder.chmod(0o700)


def remove_parts(file: Path) -> None:
    """Remove partial files of a killed attempt. Only for the holder of the claim."""
    for part in file.parent.glob(f"{file.name}.*.part"):
        part.unlink(missing_ok=True)


def export_of(name: str) -> tuple[str, bool] | None:
    """Return the export's id from a file name, and whether it's a partial file; None for other files."""
    found = _name(name)
    return (found[1], found[2] is not None) if found else None


def note_written(session: Session, actor: Actor, patient_id: int | None) -> None:
    """Record in the audit log that a history, or all data (None), is written to another folder. Raises NotFound."""
    try:
        if patient_id is not None:
            patients.fetch_clinical(session, actor, patient_id)
    except NotFound:
        raise NotFound(_("There is no patient %(id)s.") % {"id": patient_id}) from None
    act = "export.write" if patient_id is not None else "export.write_clinic"
    audit.record(session, actor, act, patient_id=patient_id)
