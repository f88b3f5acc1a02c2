"""Listeners: they accept every connection, and quotas then decide which ones may stay.

Extends the server of waitress 3.0.2.
"""

from time import monotonic
from typing import Any, cast

import structlog
from waitress.server import TcpWSGIServer

from service.server.channels import Channel
from service.server.connections import Connections

log = structlog.get_logger()
ACCEPTED_AT_ONCE = 32


class Listener(TcpWSGIServer):
    """One listening socket."""

    channel_class = Channel

    def __init__(self, *args: Any, connections: Connections, **more: Any) -> None:
        self.connections = connections
        self._looked_at = monotonic()
        super().__init__(*args, **more)

    @property
    def channels(self) -> list[Channel]:
        """The connections it accepted."""
        return list(cast(dict[int, Channel], self.active_channels).values())

    def readable(self) -> bool:
        """Return whether to accept connections: always, quotas decide later. Checks timeouts once per second."""
        now = monotonic()
        if now - self._looked_at >= 1:
            self._looked_at = now
            for channel in self.channels:
                _keep_time(channel, now)
            self.connections.tally.write(now)
        return self.accepting

    def handle_accept(self) -> None:
        """Accept several waiting connections at once; waitress accepts one at a time, which is too slow under load.

        If that fails, only the new connection is closed. waitress would close this socket and accept no one any more.
        """
        for _turn in range(ACCEPTED_AT_ONCE):
            before = self.channels
            try:
                super().handle_accept()
            except Exception:
                log.exception("a newcomer could not be let in")
                for channel in self.channels:
                    if channel not in before:
                        channel.handle_close()
                return
            if len(self.channels) == len(before):
                return

    def add_task(self, task: Any) -> None:
        """Queue a connection's next request, or a question about a body limit, for a worker thread."""
        if isinstance(task, Channel):
            task.begin_turn()
        super().add_task(task)


def _keep_time(channel: Channel, now: float) -> None:
    """Apply a connection's timeouts. If that fails, close it, or the whole loop would end."""
    try:
        channel.keep_time(now)
    except Exception:
        log.exception("a connection could not be looked at")
        channel.handle_close()
