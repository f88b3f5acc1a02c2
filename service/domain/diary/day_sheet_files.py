"""Day sheets as files: one self-contained HTML page per day, for when the power fails."""

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Lock

from markupsafe import Markup
from sqlalchemy.orm import Session

from service import clock, disk
from service.config.settings import ROOT, Settings
from service.domain.diary import day_sheets
from service.domain.foundation.actor import SYSTEM
from service.language import catalogs, rendering
from service.language.translation import speaking

STYLE = ROOT / "static" / "css" / "day-sheet.css"
KEEP_DAYS = 14
COMMITTED_WITHIN = timedelta(minutes=5)
"""How long after its time an erasure may be committed: a sheet that is written in between still has the name."""
_name = re.compile(r"(\d{4}-\d\d-\d\d)\.html(\.part)?", re.ASCII).fullmatch
_writing = Lock()


def folder_of(settings: Settings) -> Path:
    """Return the folder of the day sheets, creating it closed to other users of the computer."""
    folder = settings.day_sheets
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write(session: Session, day: date, settings: Settings) -> tuple[int, int]:
    """Write the sheets of a clinic day, whole or not at all; returns how many doctors and appointments they hold."""
    sheets = day_sheets.of_day(session, SYSTEM, day, settings.clinic.zone)
    jinja = rendering.environment(settings.clinic)
    with speaking(catalogs.spoken(settings.clinic.language, "diary")):
        text = jinja.get_template("diary/today/sheet_file.html").render(
            sheets=sheets,
            day=day,
            clinic=settings.clinic,
            made_at=clock.now(),
            style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 our own file
        )
    with (
        _writing,  # by hand and by the schedule at once
        disk.replacing(folder_of(settings) / f"{day}.html", one_writer=True) as target,
    ):
        target.write(text.encode())
    return len(sheets), sum(sheet.visits for sheet in sheets)


def written_before(folder: Path, erasure: datetime) -> list[Path]:
    """Return the sheets and leftover partial files that may name someone who was erased at an instant."""
    sheets = [file for file in folder.iterdir() if _name(file.name)]
    return [file for file in sheets if disk.may_be_from_before(file, erasure + COMMITTED_WITHIN, clock.now())]


def old(folder: Path, today: date) -> list[Path]:
    """Return the sheets older than 14 days, and partial files of past days."""
    found = []
    for file in folder.iterdir():
        named = _name(file.name)
        day = _day(named[1]) if named else None
        if named and day and day < (today if named[2] else today - timedelta(days=KEEP_DAYS)):
            found.append(file)
    return found


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
