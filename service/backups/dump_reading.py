"""Read a PostgreSQL dump as rows of tables and values of sequences. Its statements are never run."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import IO

from service.backups.errors import BackupError

NO_TOOLS = (
    "A backup of PostgreSQL needs {tool}, which is not on this computer: install PostgreSQL's client programs, "
    'or back the server up yourself and set [backup] folder = "".'
)
END_OF_ROWS = b"\\.\n"
LONGEST_ROW = 64 * 1024 * 1024
"""Much longer than any row of ours, and short enough to hold in memory."""
_rows = re.compile(r'COPY public\."?(\w+)"? \(([\w", ]*)\) FROM stdin;\n').fullmatch
_sequence = re.compile(r"SELECT pg_catalog\.setval\('public\.\"?(\w+)\"?', (\d+), (true|false)\);\n").fullmatch
_encoding = re.compile(r"SET client_encoding = '([\w-]+)';\n").fullmatch


@dataclass(frozen=True)
class Rows:
    """The rows of a table, one line each, as COPY expects them."""

    table: str
    columns: tuple[str, ...]
    lines: Iterator[bytes]


@dataclass(frozen=True)
class Sequence:
    """The value of a sequence."""

    name: str
    value: int
    is_used: bool


@dataclass(frozen=True)
class Encoding:
    """The encoding of the rows that follow."""

    name: str


def parts(file: Path, keep: Callable[[], None]) -> Iterator[Rows | Sequence | Encoding]:
    """Yield the contents of a dump in order, calling `keep` between rows. Raises BackupError if it can't be read.

    Other statements are skipped.
    """
    with _data_of(file) as source:
        lines = _lines(source, keep)
        for line in lines:
            said = line.decode("utf-8", "replace")
            if begun := _rows(said):
                columns = tuple(name.strip('"') for name in begun[2].split(", "))
                rows = takewhile(lambda row: row != END_OF_ROWS, lines)
                yield Rows(begun[1], columns, rows)
                for _unread in rows:
                    pass
            elif stands := _sequence(said):
                yield Sequence(stands[1], int(stands[2]), stands[3] == "true")
            elif letters := _encoding(said):
                yield Encoding(letters[1])


def tool(name: str) -> str:
    """Return the path of one of PostgreSQL's programs. Raises BackupError if it isn't installed."""
    found = shutil.which(name)
    if found is None:
        raise BackupError(NO_TOOLS.format(tool=name))
    return found


def last_line(said: bytes) -> str:
    """Return the last line a program printed, which says why it failed."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


@contextmanager
def _data_of(file: Path) -> Iterator[IO[bytes]]:
    """Open the data part of a dump as pg_restore prints it."""
    line = [tool("pg_restore"), "--data-only", "--file=-", str(file)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:  # noqa: S603
        assert reading.stdout is not None
        try:
            yield reading.stdout
        except BaseException:
            reading.kill()
            raise
        _out, said = reading.communicate()
    if reading.returncode != 0:
        raise BackupError(f"The dump cannot be read back: use another backup. ({last_line(said)})")


def _lines(source: IO[bytes], keep: Callable[[], None]) -> Iterator[bytes]:
    while line := source.readline(LONGEST_ROW + 1):
        if len(line) > LONGEST_ROW:
            raise BackupError("The dump has a row that's too large to come from Rounds. Use another backup.")
        keep()
        yield line
