"""Read a table from a file, whatever its encoding and delimiter: a header and numbered lines."""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.domain.foundation.errors import Invalid
from service.language.translation import gettext as _

MOST_BYTES = 10 * 1024 * 1024
MOST_LINES = 50_000
MOST_COLUMNS = 100
LONGEST_HEADING = 200
DELIMITERS = ";,\t"
LOOKED_AT = 64 * 1024
"""How much of a file to examine for the delimiter."""
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_said = re.compile(r"sep=([;,\t])\r?\n").match
_looks_like_data = re.compile(r"@|^\W*[0-9][0-9 ./()+-]{4,}$").search


@dataclass(frozen=True)
class Table:
    """The contents of a file: column names, and lines with their line numbers."""

    header: list[str]
    lines: list[tuple[int, list[str]]]


def read(data: bytes) -> Table:
    """Read the table in a file. Raises Invalid if it's empty, not text, without a header, too large, or unquoted."""
    if len(data) > MOST_BYTES:
        raise _refused(_("The file is larger than 10 MB. Split it into several files."))
    text = _text(data)
    records = _records(text, _delimiter(text))
    header = _checked_header(next(records, (1, []))[1])
    lines = []
    for number, cells in records:
        lines.append((number, cells))
        if len(lines) > MOST_LINES:
            raise _refused(
                _("The file has more than %(count)s lines. Split it into several files.") % {"count": MOST_LINES}
            )
    if not lines:
        raise _refused(_("The file has a header, but no lines below it."))
    return Table(header, lines)


def _text(data: bytes) -> str:
    """Decode a file: UTF-8, UTF-16 with a byte order mark, or else what Windows calls ANSI."""
    if data.startswith(b"PK\x03\x04"):
        raise _refused(_("This is a spreadsheet. Open it, save the table as CSV, and choose the CSV file here."))
    marked = [encoding for mark, encoding in MARKS if data.startswith(mark)]
    for encoding in marked or ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding).rstrip("\x1a")  # the end-of-file mark of old programs
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        if not text.strip():
            raise _refused(_("The file is empty."))
        return text
    raise _refused(_("This is not a text file. Save the table as CSV, and choose the CSV file here."))


def _delimiter(text: str) -> str:
    """Return the delimiter that splits the header and most of the first lines into the same number of columns.

    csv.Sniffer also considers letters, and is wrong if values contain commas.
    """
    said = _said(text)
    if said:
        return said[1]

    def fit(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text[:LOOKED_AT], newline=""), delimiter=delimiter, skipinitialspace=True)
        widths = []
        try:
            for cells in reader:
                widths += [len(cells)] if cells else []
                if len(widths) > 50:
                    break
        except csv.Error:
            pass  # the lines before it are enough
        if not widths or widths[0] == 1:
            return 0, 0
        return widths.count(widths[0]) / len(widths), widths[0]

    return max(DELIMITERS, key=fit)


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that aren't empty, with the number of the line in the file where each starts."""
    said = _said(text)
    above = begins = 2 if said else 1
    source = io.StringIO(text[said.end() if said else 0 :], newline="")
    reader = csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            sentence = _("The file can't be read from line %(line)s on: a quotation mark there is never closed.")
            raise _refused(sentence % {"line": begins}) from None
        number, begins = begins, reader.line_num + above
        if any(cells):
            yield number, cells


def _checked_header(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    if len(cells) > MOST_COLUMNS:
        raise _refused(_("The file has more than %(count)s columns.") % {"count": MOST_COLUMNS})
    if any(len(cell) > LONGEST_HEADING or _looks_like_data(cell) for cell in cells):
        raise _refused(_("The first line of the file must name the columns. This one looks like data."))
    return [" ".join(cell.split()) for cell in cells]


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, "file")
