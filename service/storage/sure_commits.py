"""PostgreSQL's answer to a commit may be lost on its way: then the server is asked what became of it."""

from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Self

import psycopg

PATIENCE_SECONDS = 4.0
"""Anyone who waits for the page is told after so long that no one knows."""
PAUSE_SECONDS = 0.1
STATUS = "SELECT txid_status(%s)"
"""`committed`, `aborted`, `in progress`; NULL when the server has forgotten it."""


class OutcomeUnknown(psycopg.OperationalError):
    """The connection broke off between a commit and its answer, and the server cannot be asked just now."""

    def __init__(self, words: str, transaction: int) -> None:
        super().__init__(words)
        self.transaction = transaction
        """Its number, by which the server tells what became of it once it can be reached."""


class SureConnection(psycopg.Connection[Any]):
    """A connection that ends a commit only when it is known whether it was kept."""

    _how: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    @classmethod
    def reach(cls, *args: Any, **options: Any) -> Self:
        """Connect, and remember how, to ask again over another connection."""
        made = cls.connect(*args, **options)
        made._how = (args, options)
        return made

    def commit(self) -> None:
        """Commit. Raises OutcomeUnknown where no one can tell whether it was kept.

        When the connection breaks off and the server has kept it all the same, this is a commit like any other.
        """
        number = self._number()
        try:
            super().commit()
        except psycopg.OperationalError as lost:
            if number is None or not self.closed:
                raise
            if not self._was_kept(number, lost):
                raise

    def rollback(self) -> None:
        """Roll back; what broke off has nothing left to roll back."""
        if not self.closed:
            super().rollback()

    def _number(self) -> int | None:
        """The number of the transaction; None when it has written nothing."""
        if self.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            return None
        found = self.cursor(row_factory=psycopg.rows.tuple_row).execute("SELECT txid_current_if_assigned()").fetchone()
        return found[0] if found else None

    def _was_kept(self, number: int, lost: psycopg.OperationalError) -> bool:
        deadline = monotonic() + PATIENCE_SECONDS
        while monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                status = self._status(number)
                if status != "in progress":  # of a connection that it has not missed yet
                    return status == "committed"
            sleep(PAUSE_SECONDS)
        raise OutcomeUnknown("connection lost before the answer to COMMIT", number) from lost

    def _status(self, number: int) -> str | None:
        args, options = self._how
        with psycopg.connect(*args, **options) as another:
            found = another.execute(STATUS, (number,)).fetchone()
        return found[0] if found else None
