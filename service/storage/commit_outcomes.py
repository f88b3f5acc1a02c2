"""Find out whether a commit succeeded when PostgreSQL's response to it was lost."""

from contextlib import suppress
from time import monotonic, sleep
from typing import Any, Self

import psycopg

PATIENCE_SECONDS = 4.0
"""How long to keep asking before the page says that the outcome is unknown."""
PAUSE_SECONDS = 0.1
STATUS = "SELECT txid_status(%s)"
"""`committed`, `aborted`, or `in progress`; NULL if the server no longer knows."""


class OutcomeUnknown(psycopg.OperationalError):
    """The connection broke between a commit and its response, and the server can't be asked right now."""

    def __init__(self, words: str, transaction: int) -> None:
        super().__init__(words)
        self.transaction = transaction
        """The transaction's number, for asking the server later."""


class VerifyingConnection(psycopg.Connection[Any]):
    """A connection whose commit() returns only when the outcome is known."""

    _how: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    @classmethod
    def reach(cls, *args: Any, **options: Any) -> Self:
        """Connect, and keep the arguments, to be able to ask over another connection."""
        made = cls.connect(*args, **options)
        made._how = (args, options)
        return made

    def commit(self) -> None:
        """Commit. Raises OutcomeUnknown if there's no way to tell whether it succeeded.

        If the connection breaks but the server has committed, this returns normally.
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
        """Roll back, unless the connection is closed: then the server does it."""
        if not self.closed:
            super().rollback()

    def _number(self) -> int | None:
        """Return the transaction's number; None if it has written nothing."""
        if self.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            return None
        found = self.cursor(row_factory=psycopg.rows.tuple_row).execute("SELECT txid_current_if_assigned()").fetchone()
        return found[0] if found else None

    def _was_kept(self, number: int, lost: psycopg.OperationalError) -> bool:
        deadline = monotonic() + PATIENCE_SECONDS
        while monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                try:
                    status = self._status(number)
                except psycopg.DataError:  # another server took over and hasn't reached this number
                    break
                if status != "in progress":  # while the server hasn't noticed the lost connection
                    return status == "committed"
            sleep(PAUSE_SECONDS)
        raise OutcomeUnknown("connection lost before the answer to COMMIT", number) from lost

    def _status(self, number: int) -> str | None:
        args, options = self._how
        with psycopg.connect(*args, **options) as another:
            found = another.execute(STATUS, (number,)).fetchone()
        return found[0] if found else None
