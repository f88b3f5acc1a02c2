"""What a job works with: database, settings, channels, the lease owner's name, and the stop signal."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.exc import DBAPIError

from service import clock
from service.backups.errors import BackupError
from service.config.settings import Settings
from service.notifications.backoff import ChannelBackoff
from service.notifications.channels import Channels
from service.storage import database
from service.storage.database import Database

Outcome = dict[str, Any]
"""What a job did, as plain values for the ledger; a `reason` says why there was nothing to do."""


class Stopped(Exception):
    """The process stops, or the lease was lost: put the work back."""


class Unfinished(Exception):
    """Some of a job's parts failed; those left are tried again."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class JobContext:
    """The process that runs jobs, as each job sees it."""

    database: Database
    settings: Settings
    channels: Channels
    owner: str
    """The name of this process in leases."""
    stopping: Event = field(default_factory=Event)
    """Set when the process stops: running work ends at its next checkpoint."""
    clock_doubted: Event = field(default_factory=Event)
    """Set while the clock may be wrong, so that the log says it once."""
    backoff: ChannelBackoff = field(default_factory=ChannelBackoff)
    lease_lost: Callable[[], bool] = _never
    """Whether another process has taken over what this job works on."""

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's zone."""
        return self.settings.clinic.zone

    def checkpoint(self) -> None:
        """Call between the parts of a job. Raises Stopped when it has to end here."""
        if self.stopping.is_set() or self.lease_lost():
            raise Stopped

    def is_over(self, day: date) -> bool:
        """Whether a clinic day lies in the past."""
        return day < clock.today(self.zone)


def explain(error: Exception) -> str:
    """An error as the jobs page may show it: never a statement or its values, which may be a patient's."""
    if isinstance(error, DBAPIError):
        return database.explain(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, Unfinished | BackupError) else type(error).__name__
