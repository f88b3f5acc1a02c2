"""Keys of pages: read as they were written, and nothing else is read."""

from datetime import UTC, datetime

import pytest

from service.domain.foundation import paging
from service.domain.foundation.errors import NotFound


def test_a_key_says_where_the_page_ended() -> None:
    at = datetime(2026, 5, 4, 6, 30, 0, 250, tzinfo=UTC)
    assert paging.read_key(paging.page_key(at, 7)) == (at, 7)
    assert paging.read_month(paging.month_key("2026-05", 7)) == ("2026-05", 7)
    assert paging.read_id(paging.id_key(2**63 - 1)) == 2**63 - 1


@pytest.mark.parametrize("row_id", ["", "0", "-1", "+1", "1.5", "x", "٣", "²", str(2**63), "9" * 5000])
def test_an_id_that_no_page_gave_is_not_found(row_id: str) -> None:
    with pytest.raises(NotFound):
        paging.read_id(row_id)
    with pytest.raises(NotFound):
        paging.read_key(f"20260504T063000000000-{row_id}")


@pytest.mark.parametrize("key", ["", "-1", "7", "20260504-7", "20261304T063000000000-7"])
def test_a_time_that_no_page_gave_is_not_found(key: str) -> None:
    for read in (paging.read_key, paging.read_month):
        with pytest.raises(NotFound):
            read(key)


def test_there_is_another_page_only_where_a_row_more_was_found() -> None:
    assert paging.cut([3, 2], 2, str) == ([3, 2], None)
    assert paging.cut([3, 2, 1], 2, str) == ([3, 2], "2")
    assert paging.cut(list[int](), 2, str) == ([], None)
