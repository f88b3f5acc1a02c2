"""Page cursors: opaque to the caller, an id to us."""

from service.domain.foundation import paging


def id_of(after: str | None) -> int | None:
    """The id behind a cursor; None without one. Raises NotFound for what no page has given."""
    return None if after is None else paging.read_id(after)


def of(row_id: int | None) -> str | None:
    """The cursor of an id."""
    return None if row_id is None else paging.id_key(row_id)
