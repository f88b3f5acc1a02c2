"""All reports of a month of the large clinic: beside bare SQL with a bare Jinja loop, and the memory they take."""

import json
from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.data.clinics import Bench, Clinic
from bench.service.process import launched
from bench.table import Row, in_turn, ratio_of

MONTH = "SELECT max(month) FROM reports"
VISITS = "SELECT sum(visits) FROM reports WHERE month = ?"


def rows(bench: Bench) -> Iterator[Row]:
    """Ours and the yardstick in turn, each round in a fresh process."""
    clinic = bench.large
    month = clinic.ask(MONTH)
    visits = clinic.ask(VISITS, month)
    over_idle: dict[str, list[float]] = {"ours": [], "bare": []}

    def seconds(kind: str) -> float:
        found = _round(kind, clinic, month)
        over_idle[kind].append(found["over_idle"])
        return float(found["seconds"])

    took = in_turn(bench.size(5, 2), lambda: seconds("ours"), lambda: seconds("bare"))
    ratio, (ours, bare) = ratio_of(took), (median(times) for times in took)
    beside = f"{bare:.2f} s, bare SQL and a bare Jinja loop"
    yield Row(f"All reports of a month, {visits:,} visits", f"{ours:.2f} s", beside, ratio, "<= 3", ratio <= 3)
    most, least = max(over_idle["ours"]), max(over_idle["bare"])
    yield Row(
        "… peak memory over idle", f"{most:.1f} MiB", f"{least:.1f} MiB, bare", most / least, "<= 64 MiB", most <= 64
    )


def _round(kind: str, clinic: Clinic, month: str) -> dict[str, Any]:
    process = launched("-m", "bench.twins.report_round", kind, str(clinic.folder), month)
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the reports ({kind}) failed")
    return dict(json.loads(printed))
