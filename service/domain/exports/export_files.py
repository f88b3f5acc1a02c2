"""The file of an export: what it holds, where it lies, and how it comes to be there whole or not at all.

It is written as NAME.part, flushed to the disk, and renamed; only then does the row say available.
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
"""With so many bytes free no one counts how long a history is before it is written."""
ROW_BYTES = 500
"""What names, times and punctuation of a row take at most, besides its texts."""
_suffixes = "|".join(form.suffix for form in FORMATS.values())
_name = re.compile(rf"([0-9a-f]{{32}})\.(?:{_suffixes})(\.[0-9a-f]{{8}}\.part)?", re.ASCII).fullmatch


def count(session: Session, patient_id: int | None, contents: Contents) -> int:
    """How many rows an export of a patient, or of the whole clinic (None), will have."""
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
    """Write a patient's history, or the whole clinic (None), to `file` from one consistent state; returns the rows."""

    with disk.replacing(file) as target:
        if patient_id is None:
            return clinic_zip.write(session, clinic, target, progress)
        return contents.form.write(session, History(patient_id, contents.tables, clinic), target, progress)


def has_room(session: Session, patient_id: int | None, contents: Contents, folder: Path) -> bool:
    """Whether the disk has room for the export; small ones on a disk with much room are not measured."""
    free = shutil.disk_usage(folder).free
    if patient_id is not None and free >= AMPLE:
        return True
    return free >= _expected_bytes(session, patient_id, contents)


def _expected_bytes(session: Session, patient_id: int | None, contents: Contents) -> int:
    """At most so many bytes, roughly; a zip is taken for as large as one of the files in it."""
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
    """Where an export's finished file lies; id and format come from a row, never from a request."""
    return folder / f"{export_id}.{FORMATS[format].suffix}"


def folder_of(settings: Settings) -> Path:
    """The folder of finished exports, made when it is missing, closed to other users of the computer."""
    folder = settings.histories
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def close_folder(settings: Settings) -> None:
    """Take the folder from other users of the computer, should someone have opened it to them."""
    folder = folder_of(settings)
    with suppress(OSError):  # someone else's, or a disk without such rights
        folder.chmod(0o700)


def remove_parts(file: Path) -> None:
    """Remove what an earlier attempt at this file left when it was killed; for the holder of the claim."""
    for part in file.parent.glob(f"{file.name}.*.part"):
        part.unlink(missing_ok=True)


def export_of(name: str) -> tuple[str, bool] | None:
    """The id of the export a file of the folder is named after, and whether it is a part; None for other files."""
    found = _name(name)
    return (found[1], found[2] is not None) if found else None


def note_written(session: Session, actor: Actor, patient_id: int | None) -> None:
    """Put on record that a history, or all data (None), is written outside the service's folder. Raises NotFound."""
    try:
        if patient_id is not None:
            patients.fetch_clinical(session, actor, patient_id)
    except NotFound:
        raise NotFound(_("There is no patient %(id)s.") % {"id": patient_id}) from None
    act = "export.write" if patient_id is not None else "export.write_clinic"
    audit.record(session, actor, act, patient_id=patient_id)
