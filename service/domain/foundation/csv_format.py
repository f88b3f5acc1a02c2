"""The format of all CSV files, and the guard against spreadsheet formulas.

UTF-8 with BOM, CRLF, every field quoted, LF inside fields.
"""

import csv
import re
from collections.abc import Sequence
from typing import Any, TextIO

# A spreadsheet runs a cell as a formula if it starts like this, even after spaces (OWASP, WSTG-INPV-21).
_formula = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[^\S\t\r\n]*[\t\r\n\x00]").match


def guarded(text: str) -> str:
    """Add a leading ' to text that a spreadsheet could treat as a formula."""
    return f"'{text}" if _formula(text) else text


def safe(text: str) -> str:
    """Guard the text, and convert its line breaks to LF."""
    return guarded(text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text)


def begin(target: TextIO, titles: Sequence[str]) -> Any:
    """Write the header, and return a csv.writer to `target` in our format."""
    target.write("\ufeff")
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(titles)
    return writer
