"""The sockets that people knock at: everybody is let in, and who may stay is decided then.

Written for waitress 3.0.2, whose server this adds to.
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
    """A socket that people knock at."""

    channel_class = Channel

    def __init__(self, *args: Any, connections: Connections, **more: Any) -> None:
        self.connections = connections
        self._looked_at = monotonic()
        super().__init__(*args, **more)

    @property
    def channels(self) -> list[Channel]:
        """Its connections."""
        return list(cast(dict[int, Channel], self.active_channels).values())

    def readable(self) -> bool:
        """Whether newcomers are let in: always, for who may stay is decided then. Looks at the time once a second."""
        now = monotonic()
        if now - self._looked_at >= 1:
            self._looked_at = now
            for channel in self.channels:
                _keep_time(channel, now)
            self.connections.tally.write(now)
        return self.accepting

    def handle_accept(self) -> None:
        """Let some in who wait; waitress takes one at a time, which a crowd outruns.

        Where that fails only the newcomer is sent away: waitress would close this socket, and let in nobody any more.
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
        """Have a thread answer a connection's next request, or do a question, when it is its turn."""
        if isinstance(task, Channel):
            task.begin_turn()
        super().add_task(task)


def _keep_time(channel: Channel, now: float) -> None:
    """Close a connection that takes too long; one that fails here ends too, or the whole loop would."""
    try:
        channel.keep_time(now)
    except Exception:
        log.exception("a connection could not be looked at")
        channel.handle_close()
