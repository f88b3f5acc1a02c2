"""The one form of all CSV files, and the guard against spreadsheet formulas.

UTF-8 with BOM, CRLF, every field quoted, LF inside fields.
"""

import csv
import re
from collections.abc import Sequence
from typing import Any, TextIO

# A spreadsheet runs a cell as a formula when it begins so, also behind blanks (OWASP, WSTG-INPV-21).
_formula = re.compile(r"[\s\x00]*[=+\-@＝＋－＠]|[^\S\t\r\n]*[\t\r\n\x00]").match


def guarded(text: str) -> str:
    """The text as a spreadsheet may safely open it: one leading ' where it could be read as a formula."""
    return f"'{text}" if _formula(text) else text


def safe(text: str) -> str:
    """The text guarded, and its line breaks made LF."""
    return guarded(text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text)


def begin(target: TextIO, titles: Sequence[str]) -> Any:
    """A csv.writer over `target`, in the one form that all files of an export have, with its header written."""
    target.write("\ufeff")
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(titles)
    return writer
