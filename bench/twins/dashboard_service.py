"""`serve` with one part replaced: `python -m bench.twins.dashboard_service constant|counted --config FILE`.

constant: the figures are a dict that never changes, everything else as it is. counted: each time the figures are
computed, a line says so.
"""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from service import cli
from service.config.settings import load
from service.domain.foundation.actor import Actor
from service.domain.reports import statistics
from service.domain.reports.live_figures import ClinicFigures
from service.http import cache
from service.storage.database import Database

COMPUTED = "computed"


def constant(config: Path) -> None:
    """Let the figures be those of now for ever."""
    settings = load(config)
    database = Database(settings.database_url)
    with database.reading() as session:
        figures = statistics.dashboard_stats(session, settings.clinic.zone)
    database.close()

    def unchanging(actor: Actor, *, refresh: bool = False) -> ClinicFigures:
        return figures

    cache.dashboard_stats = unchanging


def counted() -> None:
    """Print a line whenever the figures are computed."""
    compute = statistics.dashboard_stats

    def telling(session: Session, zone: ZoneInfo) -> ClinicFigures:
        print(COMPUTED, flush=True)
        return compute(session, zone)

    statistics.dashboard_stats = telling


def main() -> None:
    """Replace what is asked for, then serve as always."""
    kind, *words = sys.argv[1:]
    if kind == "constant":
        constant(Path(words[words.index("--config") + 1]))
    else:
        counted()
    cli.main(["serve", *words])


if __name__ == "__main__":
    main()
