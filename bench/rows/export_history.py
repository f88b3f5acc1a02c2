"""Export of a patient's million treatments: rows a second beside a bare loop, and the memory it takes."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from bench.data import export_data
from bench.data.clinics import Bench
from bench.service.process import launched
from bench.table import Row, in_turn, ratio_of


def rows(bench: Bench) -> Iterator[Row]:
    """Ours and the bare loop in turn; both files must be the same to the byte."""
    clinic, count = bench.new("export"), bench.size(1_000_000, 20_000)
    export_data.fill(clinic, count)
    files = {kind: clinic.folder / f"{kind}.csv" for kind in ("ours", "bare")}
    over_idle: dict[str, list[float]] = {"ours": [], "bare": []}

    def seconds(kind: str) -> float:
        files[kind].unlink(missing_ok=True)
        os.sync()  # neither pays for what the other left to be written
        found = _round(kind, clinic.folder, files[kind])
        assert found["rows"] == count, found
        over_idle[kind].append(found["over_idle"])
        return float(found["seconds"])

    took = in_turn(bench.size(5, 2), lambda: seconds("ours"), lambda: seconds("bare"))
    assert _digest(files["ours"]) == _digest(files["bare"]), "the two files differ"
    ratio = 1 / ratio_of(took)
    speeds = [f"{count / median(times):,.0f} rows/s" for times in took]
    yield Row(f"Export of {count:,} treatments", speeds[0], f"{speeds[1]}, bare loop", ratio, ">= 0.85", ratio >= 0.85)
    most, bare = max(over_idle["ours"]), max(over_idle["bare"])
    goal = "<= 64 MiB"
    yield Row("… peak memory over idle", f"{most:.1f} MiB", f"{bare:.1f} MiB, bare loop", most / bare, goal, most <= 64)


def _round(kind: str, folder: Path, file: Path) -> dict[str, Any]:
    process = launched("-m", "bench.twins.export_round", kind, str(folder), str(file))
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the export ({kind}) failed")
    return dict(json.loads(printed))


def _digest(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
