"""A session whose rows are gone at its end, so that one house serves many made-up cases."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.orm import Session

from tests.house import House


class Enough(Exception):
    """Rolls the transaction back."""


@contextmanager
def scratch(house: House) -> Iterator[Session]:
    """A writing session of which nothing stays."""
    with suppress(Enough), house.writing() as session:
        yield session
        raise Enough
