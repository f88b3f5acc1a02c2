"""Build the parts of a process from the settings: database, channels, jobs, and job backend."""

import secrets
from dataclasses import dataclass, field

from service.backups import restoring
from service.config import keys
from service.config.settings import Settings
from service.domain.foundation.meter import Meter
from service.domain.outbox import message_rules
from service.jobs.context import JobContext
from service.jobs.local_backend import LocalBackend
from service.jobs.queue import JobQueue
from service.language import catalogs, message_texts
from service.notifications import channels
from service.notifications.channels import Channels
from service.process.known_clients import KnownClients
from service.process.restart import Restart
from service.storage.database import Database, DatabaseError, check


@dataclass(frozen=True)
class Wiring:
    """The parts of a process."""

    settings: Settings
    database: Database
    channels: Channels
    jobs: JobContext
    """The context in which this process runs jobs."""
    queue: JobQueue
    secret_key: bytes
    setup_code: str
    """The code that the setup page asks for unless it's opened on this computer."""
    metrics_token: str = ""
    """The token of a monitor on another computer. Empty: only this computer may read metrics."""
    restart: Restart = field(default_factory=Restart)
    """How pages ask the service to restart."""
    known_clients: KnownClients = field(default_factory=KnownClients)
    """Signed-in browsers and staff addresses, which go first under load."""
    meter: Meter = field(default_factory=Meter)
    """What has been used of the budgets for expensive actions."""


def connect(settings: Settings, kind: str, restart: Restart | None = None, *, aside: bool = False) -> Wiring:
    """Build the parts of a process (`serve`, `command`, `worker`), unstarted. Raises SettingsError, DatabaseError.

    `aside`: print console messages to standard error, because a program reads standard output.
    """
    message_texts.check_ours(message_rules.texts())
    catalogs.use(settings.languages_folder)
    message_texts.use(settings.message_templates, message_rules.variables())
    database = Database(
        settings.database_url,
        pool_size=settings.server.threads + settings.jobs.export_workers + 6,
        long_readers=settings.jobs.export_workers + 1,
    )
    _check(database, settings)
    chosen, key = channels.choose(settings, aside=aside), keys.secret_key(settings)
    jobs = JobContext(database, settings, chosen, owner=f"{kind}-{secrets.token_hex(8)}")
    return Wiring(
        settings=settings,
        database=database,
        channels=chosen,
        jobs=jobs,
        queue=_queue(jobs),
        secret_key=key,
        setup_code=keys.setup_code(key),
        metrics_token=keys.secret("ROUNDS_METRICS_TOKEN"),
        restart=restart or Restart(),
    )


def _queue(jobs: JobContext) -> JobQueue:
    if jobs.settings.jobs.backend == "local":
        return LocalBackend(jobs)
    from service.jobs.celery_backend import CeleryBackend  # imported here: with one process, it isn't needed

    return CeleryBackend(jobs.settings)


def _check(database: Database, settings: Settings) -> None:
    """Raise DatabaseError if the database can't be used. If it's damaged, the error names the newest good backup."""
    try:
        check(database)
    except DatabaseError as error:
        good = restoring.newest_good(settings) if "damaged" in str(error) else None
        if good is None:
            raise
        command = settings.command(f'restore "{good}"')
        raise DatabaseError(f"{error} The newest backup is put back by: {command}") from None
