"""Many at the same moment: the same act in real threads that begin together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from tests import patience

T = TypeVar("T")


def together(count: int, act: Callable[[int], T]) -> list[T]:
    """What `act(0)` to `act(count - 1)` return, begun together."""
    start = Barrier(count)

    def run(number: int) -> T:
        start.wait(patience.SECONDS)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
