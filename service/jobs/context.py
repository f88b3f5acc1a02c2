"""What a job needs: database, settings, channels, the owner's name for leases, and the stop signal."""

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
"""What a job did, as plain values for the ledger. A `reason` says why there was nothing to do."""


class Stopped(Exception):
    """The process is stopping, or the lease was lost: put the work back."""


class Unfinished(Exception):
    """Some parts of a job failed and will be tried again."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class JobContext:
    """The process that runs a job, as the job sees it."""

    database: Database
    settings: Settings
    channels: Channels
    owner: str
    """This process's name in leases."""
    stopping: Event = field(default_factory=Event)
    """Set when the process is stopping: running work ends at its next checkpoint."""
    clock_doubted: Event = field(default_factory=Event)
    """Set while the clock may be wrong, so that it's logged only once."""
    backoff: ChannelBackoff = field(default_factory=ChannelBackoff)
    lease_lost: Callable[[], bool] = _never
    """Returns whether another process has taken over this job's work."""

    @property
    def zone(self) -> ZoneInfo:
        """Return the clinic's time zone."""
        return self.settings.clinic.zone

    def checkpoint(self) -> None:
        """Call this between the steps of a job. Raises Stopped if the job has to end here."""
        if self.stopping.is_set() or self.lease_lost():
            raise Stopped

    def is_over(self, day: date) -> bool:
        """Return whether a clinic day is in the past."""
        return day < clock.today(self.zone)


def explain(error: Exception) -> str:
    """Describe an error for the jobs page, without SQL or its values, which may be a patient's."""
    if isinstance(error, DBAPIError):
        return database.explain(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, Unfinished | BackupError) else type(error).__name__
