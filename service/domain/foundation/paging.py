"""Pages of a list: keys for the URL of the next page, and cutting the list.

Lists fetch one row more than a page has, to see whether there is another page.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from service.domain.foundation.errors import NotFound

Row = TypeVar("Row")
Key = TypeVar("Key")
LARGEST_ID = 2**63 - 1


def cut(found: Sequence[Row], limit: int, key: Callable[[Row], Key]) -> tuple[Sequence[Row], Key | None]:
    """Return the rows of a page, and the key of its last row if there are more."""
    return found[:limit], key(found[limit - 1]) if len(found) > limit else None


def page_key(at: datetime, row_id: int) -> str:
    """Return the key of a list sorted by time: a time in UTC and an id."""
    return f"{at:%Y%m%dT%H%M%S%f}-{row_id}"


def read_key(text: str) -> tuple[datetime, int]:
    """Parse a page_key(). Raises NotFound if it's invalid."""
    at, _, row_id = text.partition("-")
    try:
        found = datetime.strptime(f"{at}+0000", "%Y%m%dT%H%M%S%f%z")
    except ValueError:
        raise NotFound from None
    return found, read_id(row_id)


def month_key(month: str, row_id: int) -> str:
    """Return the key of a list sorted by month (`YYYY-MM`)."""
    return f"{month.replace('-', '')}01T000000000000-{row_id}"


def read_month(text: str) -> tuple[str, int]:
    """Parse a month_key(). Raises NotFound if it's invalid."""
    at, row_id = read_key(text)
    return f"{at:%Y-%m}", row_id


def id_key(row_id: int) -> str:
    """Return the key of a list sorted by id."""
    return str(row_id)


def read_id(text: str) -> int:
    """Parse an id_key(). Raises NotFound if it's invalid."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    if not 0 < number <= LARGEST_ID:
        raise NotFound
    return number
