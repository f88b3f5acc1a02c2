"""Where a page begins, as the caller carries it: opaque to them, an id to us."""

from service.domain.foundation.errors import NotFound


def id_of(after: str | None) -> int | None:
    """The id behind a cursor; None without one. Raises NotFound for what no page has given."""
    if after is None:
        return None
    if not after.isdigit() or not 0 < int(after) < 2**63:
        raise NotFound
    return int(after)


def of(row_id: int | None) -> str | None:
    """The cursor of an id."""
    return None if row_id is None else str(row_id)
