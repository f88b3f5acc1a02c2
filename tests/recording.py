"""A channel that keeps what it was given, and refuses or dies where a test says so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from service.notifications.message import OutgoingMessage
from service.storage.models import Channel


class Crash(BaseException):
    """Stands for the process ending here: nothing of the program catches it."""


@dataclass
class Recording:
    """Delivers into a list; `before` and `after` are called around the hand-over and may raise."""

    name: Channel = Channel.CONSOLE
    messages: list[OutgoingMessage] = field(default_factory=list)
    before: Callable[[OutgoingMessage], None] = lambda _letter: None
    after: Callable[[OutgoingMessage], None] = lambda _letter: None
    _lock: Lock = field(default_factory=Lock)

    def send(self, letter: OutgoingMessage, before_data: Callable[[], None]) -> None:
        """Keep the letter."""
        self.before(letter)
        before_data()
        with self._lock:
            self.messages.append(letter)
        self.after(letter)

    def close(self) -> None:
        """Nothing is kept open."""

    @property
    def recipients(self) -> list[str]:
        """The recipients, in order of time."""
        return [letter.recipient for letter in self.messages]
