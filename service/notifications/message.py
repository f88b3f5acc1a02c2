"""A message ready to leave, what a channel is, and how a channel says no."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Letter:
    """One message to one recipient."""

    id: int
    recipient: str
    subject: str
    body: str


class DeliveryError(Exception):
    """The channel could not deliver; `permanent` says that trying again is of no use."""

    def __init__(self, why: str, *, permanent: bool) -> None:
        super().__init__(why)
        self.permanent = permanent


class Channel(Protocol):
    """A way to reach a recipient."""

    name: str

    def send(self, letter: Letter, before_data: Callable[[], None]) -> None:
        """Deliver, calling `before_data` once just before the content leaves. Raises DeliveryError."""
