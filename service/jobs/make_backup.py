"""Job: the nightly backup."""

from service.backups import making
from service.jobs.context import JobContext, Outcome


def make_backup(context: JobContext, slot: str) -> Outcome:
    """Back up the clinic as it is now, whatever the slot, and verify the backup."""
    made = making.make(context.database, context.settings, keep=context.checkpoint)
    return {"date": slot, **made.as_outcome()}
