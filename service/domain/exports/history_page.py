"""Write a history as one self-contained HTML file to read and print."""

from typing import TextIO

from markupsafe import Markup
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import ROOT
from service.domain.exports import export_columns, history_tables
from service.domain.exports.history_tables import History, Progress, Rows
from service.domain.outbox.channels import CHANNELS
from service.language import catalogs, rendering
from service.language.translation import speaking

STYLE = ROOT / "static" / "css" / "history.css"


def write(session: Session, history: History, target: TextIO, progress: Progress = lambda rows: None) -> int:
    """Write the page to `target`, and return the number of rows. `progress` is called every thousand rows."""
    with speaking(language_of(session, history)):
        return _written(session, history, target, progress)


def language_of(session: Session, history: History) -> str:
    """Return the language of what people read in an export: the patient's, else the clinic's."""
    chosen = history_tables.patient(session, history.patient_id)["language"]
    return catalogs.spoken(chosen or history.clinic.language, "exports")


def _written(session: Session, history: History, target: TextIO, progress: Progress) -> int:
    count, clinic, patient_id = _Count(progress), history.clinic, history.patient_id
    rows = {table.name: count.counted(history_tables.rows(session, patient_id, table)) for table in history.tables}
    page = rendering.environment(clinic).get_template("exports/history.html")
    pieces = page.stream(
        clinic=clinic,
        made_at=clock.now(),
        patient=history_tables.patient(session, patient_id),
        how_many={table.name: history_tables.count(session, patient_id, (table,)) for table in history.tables},
        treatments=rows[export_columns.TREATMENTS.name],
        consent=rows[export_columns.CONSENT.name],
        visits=rows.get(export_columns.VISITS.name),
        messages=rows.get(export_columns.MESSAGES.name),
        languages=catalogs.names(),
        channels=CHANNELS,
        style=Markup(STYLE.read_text(encoding="utf-8")),  # noqa: S704 our own file
    )
    pieces.enable_buffering(500)
    target.writelines(pieces)
    progress(count.rows)
    return count.rows


class _Count:
    """Counts the rows of the page."""

    def __init__(self, progress: Progress) -> None:
        self.rows = 0
        self._progress = progress

    def counted(self, rows: Rows) -> Rows:
        for row in rows:
            yield row
            self.rows += 1
            if self.rows % history_tables.BATCH == 0:
                self._progress(self.rows)
