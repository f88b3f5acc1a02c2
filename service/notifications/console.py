"""The console channel: writes the whole message to standard output, never to the log."""

import sys
from collections.abc import Callable
from threading import Lock

from service.notifications.message import DeliveryError, Letter
from service.storage.models import Channel


class Console:
    """Stands in for e-mail until the clinic has set it up."""

    name = Channel.CONSOLE

    def __init__(self) -> None:
        self._lock = Lock()

    def send(self, letter: Letter, before_data: Callable[[], None]) -> None:
        """Print the message. Raises DeliveryError when nobody reads standard output any more."""
        text = f"--- message {letter.id}\nTo: {letter.recipient}\nSubject: {letter.subject}\n\n{letter.body}---\n"
        if sys.stdout is None:
            raise DeliveryError("standard output is closed", permanent=False, connection=True)
        before_data()
        try:
            with self._lock:
                sys.stdout.write(text)
                sys.stdout.flush()
        except (OSError, ValueError) as error:
            raise DeliveryError(f"standard output: {error}", permanent=False, connection=True) from None

    def close(self) -> None:
        """Nothing is kept open."""
