"""From the press of the export button to the finished file of twenty rows, beside a bare commit on the same disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep

from bench.data import press_data
from bench.data.clinics import Bench, Clinic
from bench.service.process import serving
from bench.service.visitor import Visitor
from bench.table import Row, in_ms

WARM_UP = 10
PATIENCE = 10.0


def rows(bench: Bench) -> Iterator[Row]:
    """A press by one patient and a bare commit in turn."""
    clinic, presses = bench.new("press"), bench.size(200, 20)
    tokens = press_data.fill(clinic, presses + WARM_UP)
    took: list[float] = []
    commits: list[float] = []
    with (
        serving(clinic) as service,
        closing(_writer(clinic.folder / "bare.db")) as bare,
        closing(sqlite3.connect(f"file:{clinic.database}?mode=ro", uri=True)) as reader,
    ):
        for token in tokens:
            took.append(_press(Visitor(service.port, token=token), clinic, reader))
            commits.append(_commit(bare))
    took, commits = took[WARM_UP:], commits[WARM_UP:]
    limit = 0.010 + 4 * median(commits)
    commit = f"{in_ms(median(commits))}, bare commit"
    ratio, goal = median(took) / limit, f"<= {in_ms(limit)}: 10 ms + 4 commits (ratio <= 1)"
    yield Row("Press to file, 20 rows, p50", in_ms(median(took)), commit, ratio, goal, ratio <= 1)
    late = [quantiles(each, n=20)[-1] for each in (took, commits)]
    yield Row("… p95", in_ms(late[0]), f"{in_ms(late[1])}, bare commit", None, "", None)


def _press(patient: Visitor, clinic: Clinic, reader: sqlite3.Connection) -> float:
    """Seconds from the press until the row says available and the file is there."""
    form_token = patient.form_token("/treatments")
    start = perf_counter()
    export = patient.press("/exports", {"csrf_token": form_token}).rpartition("/")[2]
    while reader.execute("SELECT status FROM exports WHERE id = ?", (export,)).fetchone() != ("available",):
        assert perf_counter() - start < PATIENCE, "the export does not come"
        sleep(0.0005)
    seconds = perf_counter() - start
    file = clinic.histories / f"{export}.csv"
    assert file.read_bytes().count(b'"\r\n') == press_data.TREATMENTS + 1, "the file is not whole"
    patient.close()
    return seconds


def _writer(file: Path) -> sqlite3.Connection:
    """A database of one table that commits as durably as the service does."""
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE notes (text TEXT)"):
        connection.execute(statement)
    return connection


def _commit(bare: sqlite3.Connection) -> float:
    start = perf_counter()
    bare.execute("BEGIN IMMEDIATE")
    bare.execute("INSERT INTO notes VALUES ('a row of some forty characters, committed')")
    bare.execute("COMMIT")
    return perf_counter() - start
