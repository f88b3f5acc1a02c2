"""Write a history as JSON: lossless, one row per line, documented in docs/export.md."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, TextIO

from sqlalchemy.orm import Session

from service import clock
from service.domain.exports import history_tables
from service.domain.exports.history_tables import History, Progress, Row, Rows

FORMAT, VERSION = "rounds-history", 1


def write(session: Session, history: History, target: TextIO, progress: Progress = lambda rows: None) -> int:
    """Write the history to `target`, and return the number of rows. `progress` is called every thousand rows."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": clock.now(),
        "clinic": {"name": history.clinic.name, "timezone": history.clinic.timezone},
        "patient": history_tables.patient(session, history.patient_id),
    }
    target.write("{\n" + ",\n".join(f'"{key}": {text(value)}' for key, value in head.items()))
    written = 0

    def told(rows: Rows) -> Rows:
        nonlocal written
        for row in rows:
            yield row
            written += 1
            if written % history_tables.BATCH == 0:
                progress(written)

    for table in history.tables:
        target.write(f',\n"{table.name}": ')
        write_list(told(history_tables.rows(session, history.patient_id, table)), target)
    target.write("\n}\n")
    progress(written)
    return written


def write_list(rows: Iterable[Row], target: TextIO) -> None:
    """Write rows as a list, one per line."""
    before = "[\n"
    for row in rows:
        target.write(before + text(row))
        before = ",\n"
    target.write("\n]" if before == ",\n" else "[]")


def text(value: Any) -> str:
    """Return a value as JSON on one line: instants in UTC to the microsecond, dates as YYYY-MM-DD."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
