"""Ask the running service to restart, and report how that went."""

from collections.abc import Callable
from threading import Event, Lock

from service.config.settings_file import Change
from service.storage.database import DatabaseLost


class Restart:
    """Shared by the pages of a process and the loop that serves them; it outlives each round of that loop."""

    def __init__(self) -> None:
        self._asked = Event()
        self._lock = Lock()
        self._change: Change | None = None
        self.let_nobody_in: Callable[[], None] = lambda: None
        """Returns once the server reads nothing new: anyone who comes then is answered when it has begun again."""
        self.wipes_demo = False
        """Whether the demo clinic is to be gone before the service begins again."""
        self.trouble = ""
        """Why the last restart did not bring what it was asked for, for the admin to read; empty when it did."""
        self.lost: DatabaseLost | None = None
        """Why the service has to end instead of starting again; None while it has not."""

    def ask(self, change: Change | None = None, *, wipe_demo: bool = False) -> None:
        """Begin again as soon as the present answers are out; `change` is taken back should it not work."""
        with self._lock:
            self._change = change
            self.wipes_demo = self.wipes_demo or wipe_demo
            self.trouble = ""
            self._asked.set()
        self.let_nobody_in()

    def give_up(self, lost: DatabaseLost) -> None:
        """End the service as soon as the present answers are out: its database is lost."""
        self.lost = lost
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Whether the service is about to restart, so nothing new should be started."""
        return self._asked.is_set()

    def take_back(self, why: str) -> bool:
        """Put the former settings back because the new ones cannot be served; False when there is nothing to undo."""
        with self._lock:
            change, self._change = self._change, None
            if change is None:
                return False
            change.undo()
            self.trouble = why
            return True

    def done(self) -> None:
        """The service answers again, with whatever it was that was asked for."""
        with self._lock:
            self._change = None
            self.wipes_demo = False
            self._asked.clear()
