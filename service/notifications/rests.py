"""A channel that can't be reached rests for a while, longer each time, and its messages wait as they are."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from service import clock
from service.storage.models import Channel

log = structlog.get_logger()
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=5)
LONGEST_ASKED_SECONDS = 86400.0
"""However long the other side asks us to wait."""


@dataclass(frozen=True)
class _Rest:
    length: timedelta
    since: datetime
    until: datetime


@dataclass
class ChannelRests:
    """The channels of one process that rest now."""

    _rests: dict[Channel, _Rest] = field(default_factory=dict)

    def begin(self, channel: Channel, at_least: float | None = None) -> None:
        """Let a channel rest, twice as long as the last time and for so many seconds at least."""
        before = self._rests.get(channel)
        grown = min(before.length * 2, LONGEST) if before else SHORTEST
        length = max(grown, timedelta(seconds=min(at_least or 0.0, LONGEST_ASKED_SECONDS)))
        now = clock.now()
        self._rests[channel] = _Rest(grown, now, now + length)
        log.warning("channel rests", channel=channel, seconds=round(length.total_seconds()))

    def end(self, channel: Channel) -> None:
        """The channel was reached: the next rest is a short one again."""
        self._rests.pop(channel, None)

    def now(self) -> list[Channel]:
        """The channels that rest now."""
        now = clock.now()
        return [name for name, rest in self._rests.items() if rest.since <= now < rest.until]  # no clock ahead counts
