"""Errors of backups. Each message says what to do."""

from service.storage.database import DatabaseError


class BackupError(DatabaseError):
    """A backup can't be made, read, or restored. The message says why and what to do."""


class NoRoom(BackupError):
    """The disk is full."""
