"""What goes wrong with backups, said in one sentence with what to do."""

from service.storage.database import DatabaseError


class BackupError(DatabaseError):
    """A backup cannot be made, read or restored; the text says why and what to do."""


class NoRoom(BackupError):
    """The disk is full."""
