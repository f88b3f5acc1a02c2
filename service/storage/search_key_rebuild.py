"""Rebuild the stored search keys of patients after the rule or the Unicode data have changed."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Row, bindparam, select, update

from service.storage import search_keys
from service.storage.models import Installation, Patient

BATCH = 5_000
"""Rows in memory at once."""


def is_due(connection: Connection) -> bool:
    """Return whether the stored search keys come from another rule or other Unicode data than this program's."""
    return connection.scalar(select(Installation.folded_by)) != search_keys.RULE


def rebuild(connection: Connection) -> int:
    """Rewrite the search keys that the current rule would write differently; return how many there were.

    The names and the records' versions stay as they are. When the keys are up to date, this is one query.
    """
    if not is_due(connection):
        return 0
    count = 0
    change = update(Patient).where(Patient.id == bindparam("row")).values(folded_name=bindparam("key"))
    for people in _batches(connection):
        keys = ((one, search_keys.search_key(one.name)) for one in people)
        outdated = [{"row": one.id, "key": key} for one, key in keys if key != one.folded_name]
        if outdated:
            connection.execute(change, outdated)
        count += len(outdated)
    connection.execute(update(Installation).values(folded_by=search_keys.RULE))
    return count


def _batches(connection: Connection) -> Iterator[Sequence[Row[int, str, str]]]:
    last = 0
    people = select(Patient.id, Patient.name, Patient.folded_name).order_by(Patient.id).limit(BATCH)
    while batch := connection.execute(people.where(Patient.id > last)).all():
        yield batch
        last = batch[-1].id
