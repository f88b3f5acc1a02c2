"""Export the whole clinic as a ZIP: each table as CSV and JSON, except what could be used to sign in."""

import inspect
from datetime import date, datetime
from typing import Any, BinaryIO

from sqlalchemy import JSON, Boolean, Column, Date, Integer, String, Table, func, select
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Clinic
from service.domain.exports import history_json, zip_files
from service.domain.exports.history_tables import Progress, Row, Rows
from service.domain.foundation import csv_format
from service.storage.models import Base, MinutesOfDay, UtcDateTime

FILES_OF_A_ROW = 2
BATCH = 1000


def tables() -> list[Table]:
    """Return the exported tables, each after those it refers to."""
    return [table for table in Base.metadata.sorted_tables if not table.info.get("secret")]


def columns(table: Table) -> list[Column[Any]]:
    """Return the exported columns of a table."""
    return [column for column in table.columns if not column.info.get("secret")]


def left_out() -> list[str]:
    """Return the tables and columns that aren't exported."""
    whole = [table.name for table in Base.metadata.sorted_tables if table.info.get("secret")]
    parts = [f"{table.name}.{one.name}" for table in tables() for one in table.columns if one.info.get("secret")]
    return sorted([*whole, *parts])


def count(session: Session) -> int:
    """Return the number of rows of all tables."""
    return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables())


def write(session: Session, clinic: Clinic, target: BinaryIO, progress: Progress = lambda rows: None) -> int:
    """Write the ZIP to `target`, and return the number of rows. Progress counts half a row per file."""
    now, done = clock.now().astimezone(clinic.zone), 0

    def told(rows: Rows) -> Rows:
        nonlocal done
        for row in rows:
            yield row
            done += 1
            if done % BATCH == 0:
                progress(done // FILES_OF_A_ROW)

    with zip_files.written(target, f"clinic-{now.date()}", now) as file:
        with file("README.txt") as text:
            text.write(readme(clinic))
        for table in tables():
            with file(f"{table.name}.csv") as text:
                writer = csv_format.begin(text, [column.name for column in columns(table)])
                writer.writerows(map(_fields, told(_rows(session, table))))
            with file(f"{table.name}.json") as text:
                history_json.write_list(told(_rows(session, table)), text)
                text.write("\n")
    progress(done // FILES_OF_A_ROW)
    return done // FILES_OF_A_ROW


def readme(clinic: Clinic) -> str:
    """Describe the contents of the ZIP and what it leaves out, in English, like the names of the tables."""
    lines = [
        f"All data of {clinic.name}, as Rounds stores it",
        "",
        "Each table is here twice: as .csv for spreadsheets and as lossless .json for programs.",
        "Times are in UTC. Columns ending with _id hold the ID of a row in another table.",
        "In the CSV files, a text that a spreadsheet could take for a formula starts with an extra '.",
        "An empty field is either an empty text or no value; the JSON files tell the two apart.",
        "",
        f"Left out because it gives access to accounts: {', '.join(left_out())}.",
        "The files that patients exported and the day sheets are not included: they are made from these tables.",
    ]
    for table in tables():
        lines += ["", f"{table.name}: {_meaning(table)}", *(f"- {one.name}: {_kind(one)}" for one in columns(table))]
    return "\r\n".join(lines) + "\r\n"


def _rows(session: Session, table: Table) -> Rows:
    chosen = columns(table)
    query = select(*chosen).order_by(*table.primary_key.columns)
    streamed = {"stream_results": True, "max_row_buffer": BATCH}
    for partition in session.connection().execute(query, execution_options=streamed).partitions(BATCH):
        for row in partition:
            yield dict(zip((column.name for column in chosen), row, strict=True))


def _fields(row: Row) -> list[str]:
    return [_field(value) for value in row.values()]


def _field(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return csv_format.safe(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool | dict | list):
        return history_json.text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _meaning(table: Table) -> str:
    """Return the first sentence of the model's docstring."""
    model = next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
    return (inspect.getdoc(model) or table.name).partition("\n")[0] if "Base" not in str(model.__doc__) else table.name


def _kind(column: Column[Any]) -> str:
    kinds = {
        UtcDateTime: "time",
        Boolean: "true or false",
        Integer: "number",
        Date: "day",
        MinutesOfDay: "time of day (26:00 is 02:00 on the next day)",
        JSON: "JSON",
        String: "text",
    }
    words = next(words for kind, words in kinds.items() if isinstance(column.type, kind))
    return words + "".join(f" -> {key.column.table.name}.{key.column.name}" for key in column.foreign_keys)
