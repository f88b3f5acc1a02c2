"""Back off from a channel that can't be reached, longer each time. Its messages stay queued."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from service import clock
from service.storage.models import Channel

log = structlog.get_logger()
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=5)
LONGEST_ASKED_SECONDS = 86400.0
"""The most we wait, even if the other side asks for more."""


@dataclass(frozen=True)
class _Rest:
    length: timedelta
    since: datetime
    until: datetime


@dataclass
class ChannelBackoff:
    """The channels that this process is backing off from."""

    _rests: dict[Channel, _Rest] = field(default_factory=dict)

    def begin(self, channel: Channel, at_least: float | None = None) -> None:
        """Back off from a channel for twice as long as last time, and for `at_least` seconds."""
        before = self._rests.get(channel)
        grown = min(before.length * 2, LONGEST) if before else SHORTEST
        length = max(grown, timedelta(seconds=min(at_least or 0.0, LONGEST_ASKED_SECONDS)))
        now = clock.now()
        self._rests[channel] = _Rest(grown, now, now + length)
        log.warning("channel backs off", channel=channel, seconds=round(length.total_seconds()))

    def end(self, channel: Channel) -> None:
        """Call this when the channel was reached: the next backoff starts short again."""
        self._rests.pop(channel, None)

    def now(self) -> list[Channel]:
        """Return the channels to leave alone now."""
        now = clock.now()
        return [
            name for name, rest in self._rests.items() if rest.since <= now < rest.until
        ]  # not if the clock was set back
