"""How long a test waits for a process or a thread before it gives up: longer than a slow and busy computer takes.

A test that passes never waits this long. How fast something is, `make bench` measures.
"""

from collections.abc import Callable
from time import monotonic, sleep
from typing import TypeVar

import pytest

SECONDS = 180.0
Found = TypeVar("Found")


def until(check: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """What `check` answers once it is true; the test fails when that takes too long."""
    deadline = monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if monotonic() > deadline:
            pytest.fail(f"did not come true within {seconds:g} seconds")
        sleep(0.02)
