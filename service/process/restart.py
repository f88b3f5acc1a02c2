"""Ask the running service to restart, and keep the result."""

from collections.abc import Callable
from threading import Event, Lock

from service.config.settings_file import Change
from service.storage.database import DatabaseLost


class Restart:
    """Shared by the pages and the server loop of a process. It survives restarts."""

    def __init__(self) -> None:
        self._asked = Event()
        self._lock = Lock()
        self._change: Change | None = None
        self.stop_accepting: Callable[[], None] = lambda: None
        """Returns when the server has stopped reading requests. New ones are answered after the restart."""
        self.wipes_demo = False
        """Whether to wipe the demo clinic before restarting."""
        self.trouble = ""
        """Why the last restart didn't apply its change, for administrators; empty if it did."""
        self.lost: DatabaseLost | None = None
        """Why the service has to end instead of restarting; None if it doesn't."""

    def ask(self, change: Change | None = None, *, wipe_demo: bool = False) -> None:
        """Restart after the current responses are sent. `change` is undone if the service can't start with it."""
        with self._lock:
            self._change = change
            self.wipes_demo = self.wipes_demo or wipe_demo
            self.trouble = ""
            self._asked.set()
        self.stop_accepting()

    def give_up(self, lost: DatabaseLost) -> None:
        """End the service after the current responses are sent, because its database is lost."""
        self.lost = lost
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Return whether the service is about to restart, so that nothing new should be started."""
        return self._asked.is_set()

    def take_back(self, why: str) -> bool:
        """Restore the previous settings because the new ones don't work. Returns False if there is nothing to undo."""
        with self._lock:
            change, self._change = self._change, None
            if change is None:
                return False
            change.undo()
            self.trouble = why
            return True

    def done(self) -> None:
        """The service is running again with the requested change."""
        with self._lock:
            self._change = None
            self.wipes_demo = False
            self._asked.clear()
