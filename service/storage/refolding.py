"""Keep the stored search texts of patients true to the rule that a search follows now."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Row, bindparam, select, update

from service.storage import folding
from service.storage.models import Installation, Patient

BATCH = 5_000
"""Rows in memory at once."""


def is_due(connection: Connection) -> bool:
    """Whether the search texts were written by another rule, or with other Unicode data, than this program's."""
    return connection.scalar(select(Installation.folded_by)) != folding.RULE


def refold(connection: Connection) -> int:
    """Write the search text of each patient that the present rule folds differently; returns how many that were.

    The names themselves and the records' versions stay as they are. A rule that is up to date costs one query.
    """
    if not is_due(connection):
        return 0
    count = 0
    change = update(Patient).where(Patient.id == bindparam("row")).values(folded_name=bindparam("folded"))
    for people in _batches(connection):
        texts = ((one, folding.fold(one.name)) for one in people)
        outdated = [{"row": one.id, "folded": folded} for one, folded in texts if folded != one.folded_name]
        if outdated:
            connection.execute(change, outdated)
        count += len(outdated)
    connection.execute(update(Installation).values(folded_by=folding.RULE))
    return count


def _batches(connection: Connection) -> Iterator[Sequence[Row[int, str, str]]]:
    last = 0
    people = select(Patient.id, Patient.name, Patient.folded_name).order_by(Patient.id).limit(BATCH)
    while batch := connection.execute(people.where(Patient.id > last)).all():
        yield batch
        last = batch[-1].id
