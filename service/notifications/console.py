"""The console channel: print the whole message, and log nothing of it."""

import sys
from collections.abc import Callable
from threading import Lock

from service.notifications.message import DeliveryError, OutgoingMessage
from service.storage.models import Channel


class Console:
    """Replaces e-mail until the clinic has set it up.

    It prints to standard output or, with `aside`, to standard error, because a program reads standard output.
    """

    name = Channel.CONSOLE

    def __init__(self, *, aside: bool = False) -> None:
        self._lock = Lock()
        self._aside = aside

    def send(self, message: OutgoingMessage, before_data: Callable[[], None]) -> None:
        """Print the message. Raises DeliveryError if the output is closed."""
        text = f"--- message {message.id}\nTo: {message.recipient}\nSubject: {message.subject}\n\n{message.body}---\n"
        output, name = (sys.stderr, "standard error") if self._aside else (sys.stdout, "standard output")
        if output is None:
            raise DeliveryError(f"{name} is closed", permanent=False, connection=True)
        before_data()
        try:
            with self._lock:
                output.write(text)
                output.flush()
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{name}: {error}", permanent=False, connection=True) from None

    def close(self) -> None:
        """Do nothing."""
