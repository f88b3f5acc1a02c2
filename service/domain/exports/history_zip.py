"""Write a history as a ZIP: an HTML page, a CSV per table, everything as JSON, and a README of the columns."""

from typing import BinaryIO

from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.exports import export_columns, history_csv, history_json, history_page, history_tables, zip_files
from service.domain.exports.export_columns import Table
from service.domain.exports.history_tables import History, Progress
from service.language.translation import gettext as _
from service.language.translation import speaking

FILES_OF_A_ROW = 3
"""Each row is in a CSV, on the page, and in the JSON."""


def write(session: Session, history: History, target: BinaryIO, progress: Progress = lambda rows: None) -> int:
    """Write the ZIP to `target`, and return the number of rows. Progress counts a third of a row per file."""
    clinic = history.clinic
    now, before = clock.now().astimezone(clinic.zone), 0

    def step(rows: int) -> None:
        progress((before + rows) // FILES_OF_A_ROW)

    language = history_page.language_of(session, history)
    with speaking(language), zip_files.written(target, f"history-{now.date()}", now) as file:
        with file("README.txt") as text:
            text.write(readme(history.tables, clinic))
        with file("history.html") as text:
            before += history_page.write(session, history, text, step)
        for table in history.tables:
            with file(f"{table.name}.csv") as text:
                if table is export_columns.TREATMENTS:  # the same file as the CSV export
                    before += history_csv.write(session, history.patient_id, clinic.zone, text, step)
                else:
                    rows = history_tables.rows(session, history.patient_id, table)
                    before += history_csv.write_table(table, rows, clinic.zone, text, step)
        with file("history.json") as text:
            before += history_json.write(session, history, text, step)
    return before // FILES_OF_A_ROW


def readme(tables: tuple[Table, ...], clinic: Clinic) -> str:
    """Describe the files of the ZIP and their columns."""
    opens = _("opens in any spreadsheet program")
    lines = [
        _("A patient's history from %(clinic)s") % {"clinic": clinic.name},
        "",
        _("history.html   to read and to print: open it in any browser"),
        *(f"{table.name + '.csv':<15}{opens}" for table in tables),
        _("history.json   the same for other programs, without any loss"),
        "",
        _("CSV files: UTF-8 with a byte order mark, commas, every field in quotes, lines end with CR LF."),
        _("Times are in the clinic's time zone (%(zone)s), written YYYY-MM-DD HH:MM.") % {"zone": clinic.timezone},
        _("In the CSV files, a text that a spreadsheet could take for a formula starts with an extra '."),
        _("JSON file: UTF-8; times in UTC like 2026-05-04T06:00:00Z, days like 2026-05-04; unknown values are null."),
    ]
    for table in tables:
        lines += ["", f"{table.name}.csv", str(table.meaning), *export_columns.csv_lines(table)]
    lines += [
        "",
        "history.json",
        _("patient: the person it is about"),
        *export_columns.json_lines(export_columns.PATIENT),
    ]
    for table in tables:
        lines += [f"{table.name}: {table.meaning}", *export_columns.json_lines(table.columns)]
    return "\r\n".join(lines) + "\r\n"
