"""A million appointments: how long the demo takes to make them, and each page beside its time at ten thousand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.data.clinics import Bench, Clinic
from bench.service import pages
from bench.service.process import serving
from bench.table import Row, in_ms, in_turn

TABLES = ("users", "doctors", "patients", "guardians", "appointments", "treatments")


def rows(bench: Bench) -> Iterator[Row]:
    """The demo, then the pages."""
    yield _demo(bench)
    yield from _pages(bench)


def _demo(bench: Bench) -> Row:
    """The demo's time beside that of SQLite copying the finished rows, indexes and all."""
    took = bench.large.seconds
    bare = _copied(bench.large, bench.folder / "copy.db")
    what, words = f"demo, {bench.large.visits:,} visits", f"{bare:.0f} s, SQLite copies the rows"
    return Row(what, f"{took:.0f} s", words, took / bare, "< 180 s", took < 180)


def _copied(clinic: Clinic, file: Path) -> float:
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("ATTACH ? AS made", (str(clinic.database),))
        query = "SELECT sql FROM made.sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL"
        for table in TABLES:
            for (statement,) in copy.execute(query, (table,)).fetchall():
                copy.execute(statement)
        start = perf_counter()
        for table in TABLES:
            copy.execute(f"INSERT INTO main.{table} SELECT * FROM made.{table}")
        copy.commit()
        seconds = perf_counter() - start
    file.unlink()
    return seconds


def _pages(bench: Bench) -> Iterator[Row]:
    """Each page's median at a million appointments beside its median at ten thousand, asked for in turn."""
    rounds = bench.size(21, 3)
    with serving(bench.large) as large, serving(bench.small) as small:
        crowds = [pages.visitors(service.port) for service in (large, small)]
        both = [pages.of(clinic, people) for clinic, people in zip((bench.large, bench.small), crowds, strict=True)]
        for here, there in zip(*both, strict=True):
            visitors = crowds[0][here.email], crowds[1][there.email]
            in_turn(2, lambda: visitors[0].timed(here.path), lambda: visitors[1].timed(there.path))  # noqa: B023
            took = in_turn(rounds, lambda: visitors[0].timed(here.path), lambda: visitors[1].timed(there.path))  # noqa: B023
            ours, yardstick = (median(each) for each in took)
            ratio = ours / yardstick
            beside = f"{in_ms(yardstick)} at {bench.small.visits:,} visits"
            yield Row(f"Page: {here.name}", in_ms(ours), beside, ratio, "<= 2", ratio <= 2)
