"""One export in a fresh process: `python -m bench.twins.export_round ours|bare FOLDER FILE` prints its cost as JSON."""

import json
import sys
from pathlib import Path
from time import perf_counter

from bench.data.clinics import Clinic
from bench.data.export_data import PATIENT
from bench.service import memory
from bench.twins import bare_export
from service.config.settings import load
from service.domain.exports import export_files
from service.domain.exports.export_formats import ONE_TABLE
from service.storage.database import Database


def ours(clinic: Clinic, file: Path) -> int:
    """The service's own way, over its own engine."""
    settings = load(clinic.config)
    database = Database(settings.database_url)
    with database.reading() as session:
        return export_files.produce(session, PATIENT, ONE_TABLE, file, settings.clinic)


def main() -> None:
    """Do one round; the idle memory is that of the process with everything imported."""
    kind, clinic, file = sys.argv[1], Clinic(Path(sys.argv[2])), Path(sys.argv[3])
    idle = memory.resident()
    memory.forget_peak()
    start = perf_counter()
    rows = ours(clinic, file) if kind == "ours" else bare_export.write(clinic.database, PATIENT, file)
    seconds = perf_counter() - start
    print(json.dumps({"rows": rows, "seconds": seconds, "over_idle": memory.peak() - idle}))


if __name__ == "__main__":
    main()
