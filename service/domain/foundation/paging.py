"""Where a page of a list ended, written so that the next page's address can hold it."""

from datetime import datetime

from service.domain.foundation.errors import NotFound


def page_key(at: datetime, row_id: int) -> str:
    """Where a page ended, for the URL of the next."""
    return f"{at:%Y%m%dT%H%M%S%f}-{row_id}"


def read_key(text: str) -> tuple[datetime, int]:
    """The time and id behind page_key(). Raises NotFound for anything else."""
    at, _, row_id = text.partition("-")
    try:
        found = datetime.strptime(f"{at}+0000", "%Y%m%dT%H%M%S%f%z")
        number = int(row_id) if row_id.isascii() and row_id.isdigit() else -1
    except ValueError:
        raise NotFound from None
    if not 0 < number < 2**63:
        raise NotFound
    return found, number
