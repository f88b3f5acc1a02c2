"""Reads a dump of PostgreSQL as rows of tables and numbers of sequences; nothing that it says is ever run."""

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
"""Many times what the texts of any row may hold, and little enough to be held in memory."""
_rows = re.compile(r'COPY public\."?(\w+)"? \(([\w", ]*)\) FROM stdin;\n').fullmatch
_sequence = re.compile(r"SELECT pg_catalog\.setval\('public\.\"?(\w+)\"?', (\d+), (true|false)\);\n").fullmatch
_encoding = re.compile(r"SET client_encoding = '([\w-]+)';\n").fullmatch


@dataclass(frozen=True)
class Rows:
    """The rows of a table, each a line as COPY takes it."""

    table: str
    columns: tuple[str, ...]
    lines: Iterator[bytes]


@dataclass(frozen=True)
class Sequence:
    """Where a sequence stands."""

    name: str
    value: int
    is_used: bool


@dataclass(frozen=True)
class Encoding:
    """In which letters the rows are that follow."""

    name: str


def parts(file: Path, keep: Callable[[], None]) -> Iterator[Rows | Sequence | Encoding]:
    """What a dump holds, in its order; `keep` is called between rows. Raises BackupError for one that cannot be read.

    Other statements in it are passed over.
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
    """Where one of PostgreSQL's programs is. Raises BackupError where it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise BackupError(NO_TOOLS.format(tool=name))
    return found


def last_line(said: bytes) -> str:
    """What a program said last, which tells why it failed."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


@contextmanager
def _data_of(file: Path) -> Iterator[IO[bytes]]:
    """What pg_restore reads in a dump, but for everything that would make or change tables."""
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
            raise BackupError("The dump has a row that is larger than any of Rounds: use another backup.")
        keep()
        yield line
