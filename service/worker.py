"""The Celery application of a worker process: `celery -A service.worker worker`, and of its scheduler: `… beat`.

Settings come from config.toml next to run.py, or from the file that ROUNDS_CONFIG names. Each task calls the same
function as in a clinic with one process.
"""

import os
import sys
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore, Timer
from typing import Any

import structlog
from celery import Celery, signals
from celery.worker import state

from service import logs
from service.config.settings import Settings, SettingsError, load
from service.domain.foundation import installation
from service.jobs import runner
from service.jobs.celery_backend import CeleryBackend, application
from service.jobs.clean_up import clean_up as _clean_up
from service.jobs.deliver_messages import deliver_messages
from service.jobs.export_patient_history_csv import export_patient_history_csv
from service.jobs.tick import tick as _tick
from service.storage import database
from service.storage.database import Database, DatabaseError, DatabaseLost
from service.wiring import Wiring, connect

log = structlog.get_logger()
BROKER_PATIENCE = 10.0
EXPORTS_GET_SECONDS = 5.0
"""How long exports may continue after the stop signal. Then they're put back for another worker."""


def _settings() -> Settings:
    named = os.environ.get("ROUNDS_CONFIG")
    try:
        settings = load(Path(named) if named else None)
    except SettingsError as error:
        sys.exit(f"Error: {error}")
    if settings.jobs.backend != "celery":
        sys.exit("Error: jobs.backend = 'local': set it to 'celery' before starting a worker.")
    return settings


settings = _settings()
app: Celery = application(settings, patience=BROKER_PATIENCE)
_posting = BoundedSemaphore(2)  # a mail server that hangs must not hold up all threads


@cache
def parts() -> Wiring:
    """Return the parts of a worker, which beat doesn't need. Raises SettingsError, DatabaseError."""
    return connect(settings, "worker")


@app.task(name="rounds.tick")
def tick() -> None:
    """Open runs that are due, and queue work that nobody is doing."""
    _tick(parts().jobs, parts().queue)


@app.task(name="rounds.clean_up")
def clean_up() -> None:
    """Remove what has expired."""
    _clean_up(parts().jobs)


@app.task(name="rounds.run")
def run(run_id: int) -> None:
    """Execute a run."""
    runner.execute(parts().jobs, run_id)


@app.task(name="rounds.export")
def export(export_id: str) -> None:
    """Write an export."""
    export_patient_history_csv(parts().jobs, export_id)


@app.task(name="rounds.deliver")
def deliver() -> None:
    """Send queued messages, unless two threads are already doing it. The next tick finds what they miss."""
    if _posting.acquire(blocking=False):
        try:
            deliver_messages(parts().jobs)
        finally:
            _posting.release()


@signals.setup_logging.connect
def _set_up_logs(**_more: Any) -> None:
    """Use our log instead of Celery's: ids only, one line per event."""
    logs.configure(settings.logs.format)


@signals.worker_init.connect
def _check(**_more: Any) -> None:
    """Exit with one sentence at startup if the database can't be used."""
    try:
        if database.present_revision(parts().database) != database.newest_revision():
            raise DatabaseError("The database is of another version: start the web process, or run.py migrate.")
        _hold_to_clinic(parts().database)
    except (SettingsError, DatabaseError) as error:
        sys.exit(f"Error: {error}")


def _hold_to_clinic(database: Database) -> None:
    """From now on, stop if another clinic has replaced this one, as the web process does."""
    with database.reading() as session:
        database.hold_to(installation.clinic_id(session))
    database.when_lost = _give_up


def _give_up(lost: DatabaseLost) -> None:
    log.error("stopping: the database is lost", why=str(lost))
    vars(state)["should_stop"] = 1  # the exit code after current work ends; the stubs only allow None


@signals.worker_ready.connect
def _begin(**_more: Any) -> None:
    log.info("worker ready")
    _catch_up()


@signals.beat_init.connect
def _begin_to_tick(**_more: Any) -> None:
    log.info("beat ready")
    _catch_up()


def _catch_up() -> None:
    """Tick at once to catch up."""
    queue = CeleryBackend(settings, BROKER_PATIENCE)
    queue.tick()
    queue.stop(0)


@signals.worker_shutting_down.connect
def _stop(**_more: Any) -> None:
    """Let short work finish, then put back the rest."""
    timer = Timer(EXPORTS_GET_SECONDS, parts().jobs.stopping.set)
    timer.daemon = True
    timer.start()
