"""The table of export formats: file name, media type, texts for the page, and the function that writes it."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from sqlalchemy.orm import Session

from service.domain.exports import export_columns, history_csv, history_json, history_zip
from service.domain.exports.export_columns import Table
from service.domain.exports.history_tables import History, Progress
from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _
from service.language.translation import lazy_gettext as _l
from service.storage.models import Export, ExportFormat


@dataclass(frozen=True)
class Form:
    """A format."""

    suffix: str
    """The file name extension, without the dot."""
    media_type: str
    label: str
    """What it's good for."""
    help: str
    holds: str
    """What the finished file is."""
    one_table: bool
    """Whether it can only contain treatments."""
    write: Callable[[Session, History, BinaryIO, Progress], int]
    """Writes a patient's history and returns the number of rows."""


@dataclass(frozen=True)
class Contents:
    """What an export contains besides treatments, and its format."""

    format: ExportFormat = ExportFormat.CSV
    visits: bool = False
    messages: bool = False

    @classmethod
    def of(cls, export: Export) -> "Contents":
        """Return what was chosen for an export."""
        return cls(export.format, export.with_visits, export.with_messages)

    @property
    def form(self) -> Form:
        """The format's row in the table."""
        return FORMATS[self.format]

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables it contains."""
        if self.form.one_table:
            return (export_columns.TREATMENTS,)
        return export_columns.chosen(visits=self.visits, messages=self.messages)

    def check(self) -> None:
        """Raise Invalid for an impossible combination."""
        if self.form.one_table and (self.visits or self.messages):
            raise Invalid(_("One table has room for the treatments only. Choose the zip to get more."), "format")


ONE_TABLE = Contents()
"""What the button creates."""
OF_THE_CLINIC = Contents(ExportFormat.ZIP, visits=True, messages=True)


def _csv(session: Session, history: History, target: BinaryIO, progress: Progress) -> int:
    with _text(target) as lines:
        return history_csv.write(session, history.patient_id, history.clinic.zone, lines, progress)


def _json(session: Session, history: History, target: BinaryIO, progress: Progress) -> int:
    with _text(target) as lines:
        return history_json.write(session, history, lines, progress)


@contextmanager
def _text(target: BinaryIO) -> Iterator[TextIO]:
    lines = io.TextIOWrapper(target, encoding="utf-8", newline="")
    yield lines
    lines.flush()
    lines.detach()


FORMATS: Mapping[ExportFormat, Form] = {
    ExportFormat.ZIP: Form(
        suffix="zip",
        media_type="application/zip",
        label=_l("To read and to keep"),
        help=_l("A zip with a page to read and print, tables, and JSON for other programs."),
        holds=_l("All treatments as a page, a table, and JSON in one zip"),
        one_table=False,
        write=history_zip.write,
    ),
    ExportFormat.CSV: Form(
        suffix="csv",
        media_type="text/csv",
        label=_l("One table"),
        help=_l("The treatments as CSV: opens in any spreadsheet program."),
        holds=_l("A table of all treatments (CSV)"),
        one_table=True,
        write=_csv,
    ),
    ExportFormat.JSON: Form(
        suffix="json",
        media_type="application/json",
        label=_l("For another program"),
        help=_l("Lossless JSON, for another clinic for example."),
        holds=_l("All treatments as JSON"),
        one_table=False,
        write=_json,
    ),
}
"""In the order on the page."""
