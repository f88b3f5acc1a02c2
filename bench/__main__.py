"""Run the benches, or those named, and print their table: `python -m bench [--only NAME ...] [--quick]`."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench import machine
from bench.data.clinics import Bench
from bench.rows import (
    away,
    booking,
    commits,
    dashboard,
    export_crowd,
    export_history,
    floods,
    held,
    importing,
    messages,
    month_reports,
    press,
    scale,
    scale_out,
    signing_in,
    start,
    stopping,
    zone_change,
)
from bench.table import Row, as_markdown

BENCHES: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "export": export_history.rows,
    "crowd": export_crowd.rows,
    "dashboard": dashboard.rows,
    "reports": month_reports.rows,
    "press": press.rows,
    "start": start.rows,
    "stopping": stopping.rows,
    "held": held.rows,
    "floods": floods.rows,
    "away": away.rows,
    "commits": commits.rows,
    "signing-in": signing_in.rows,
    "importing": importing.rows,
    "zone-change": zone_change.rows,
    "booking": booking.rows,
    "messages": messages.rows,
    "scale": scale.rows,
    "scale-out": scale_out.rows,
}


def main() -> None:
    """Measure, say on standard error what is under way, end with the table."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES), metavar="NAME")
    options.add_argument(
        "--quick", action="store_true", help="small sizes: shows that the benches work, proves nothing"
    )
    chosen = options.parse_args()
    rows: list[Row] = []
    with TemporaryDirectory(prefix="rounds-bench-") as folder:
        bench = Bench(Path(folder), quick=chosen.quick)
        for name in chosen.only:
            began = perf_counter()
            for row in BENCHES[name](bench):
                rows.append(row)
                print(f"{name}: {row.what}: {row.ours}", file=sys.stderr, flush=True)
            print(f"{name} took {perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(machine.description(), end="\n\n")
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
