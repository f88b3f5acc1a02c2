"""How work ends early, and how an error reads on the jobs page."""

from sqlalchemy.exc import DBAPIError

from service.backups.errors import BackupError
from service.storage import database


class Stopped(Exception):
    """The service stops, or the claim was lost: put the work back."""


class Unfinished(Exception):
    """Some of a job's parts failed; those left are tried again."""


def why(error: Exception) -> str:
    """An error as the jobs page may show it: never a statement or its values, which may be a patient's."""
    if isinstance(error, DBAPIError):
        return database.explain(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, Unfinished | BackupError) else type(error).__name__
