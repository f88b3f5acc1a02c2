"""What it costs to look before and after each commit whether the database is still the file that its path names."""

from collections.abc import Callable, Iterator
from contextlib import closing
from statistics import median
from time import perf_counter

from sqlalchemy import text

from bench.data.clinics import Bench
from bench.table import Row
from service.storage.database import Database

LOOKS = 2


def rows(bench: Bench) -> Iterator[Row]:
    """A commit beside the looks that belong to it; on a computer whose disk answers at once they weigh most."""
    clinic = bench.usual.copied(bench.folder / "commits")
    turns = bench.size(1000, 100)
    with closing(Database(f"sqlite:///{clinic.database}")) as database:

        def commit() -> None:
            with database.transaction() as session:
                session.execute(text("UPDATE installation SET created_at = created_at"))

        whole, looking = _seconds(commit, turns), LOOKS * _seconds(database.require_present, turns)
    yield Row(
        "Whether the file is still there, per commit",
        f"{looking * 1_000_000:.0f} µs",
        f"{whole * 1000:.2f} ms, the whole commit",
        looking / whole,
        "< 100 µs",
        looking < 100e-6,
    )


def _seconds(act: Callable[[], object], turns: int) -> float:
    """The median of how long an act takes."""
    act()
    taken = []
    for _turn in range(turns):
        began = perf_counter()
        act()
        taken.append(perf_counter() - began)
    return median(taken)
