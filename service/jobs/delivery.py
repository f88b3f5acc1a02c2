"""Sending what waits in the outbox: claim, hand to the channel outside any transaction, settle; one after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service import clock
from service.config.settings import Settings
from service.domain.messages import deliveries
from service.domain.messages.deliveries import Claim
from service.domain.outbox import channels
from service.domain.outbox.reminders import Tally
from service.notifications.channels import Channels
from service.notifications.message import DeliveryError, Unsure
from service.storage import database
from service.storage.database import Database
from service.storage.models import Channel, MessageStatus, SkipReason

log = structlog.get_logger()
Settled = TypeVar("Settled")
SHORTEST_REST, LONGEST_REST = timedelta(seconds=30), timedelta(minutes=5)
TRIES = 4
"""How often a busy database is asked to take down how a message ended."""


class _NotOurs(Exception):
    """Somebody else has taken the message over meanwhile."""


@dataclass(frozen=True)
class _Rest:
    """A channel that cannot be reached is left alone for a while."""

    length: timedelta
    since: datetime
    until: datetime


class Delivery:
    """Sends messages of one process, whose name in leases is `owner`.

    When nobody can be reached, a round ends at the first message instead of trying all the others: the channel rests,
    longer each time, and the messages wait as they are.
    """

    def __init__(self, db: Database, settings: Settings, channels: Channels, owner: str) -> None:
        self._db = db
        self._settings = settings
        self._channels = channels
        self._owner = owner
        self._rests: dict[Channel, _Rest] = {}

    def round(self, scope: ColumnElement[bool], keep: Callable[[], None], tally: Tally) -> None:
        """Send what is due within `scope`; `keep` is called between messages and may raise to end it."""
        with self._db.transaction() as session:
            deliveries.unsure(session, self._settings)
        try:
            while True:
                keep()
                with self._db.transaction() as session:
                    claimed = deliveries.claim(session, self._owner, self._settings, scope, self._resting())
                if claimed is None:
                    return
                tally.skipped[SkipReason.DUPLICATE] += claimed.covered
                if claimed.letter is None:
                    tally.count(claimed.status, claimed.skip_reason)
                else:
                    tally.count(self._send(claimed))
        finally:
            self._channels.close()

    def _send(self, claimed: Claim) -> MessageStatus:
        """Hand one message to its channel and settle it; returns its new status."""

        def before_data() -> None:
            with self._db.transaction() as session:
                if not deliveries.hand_over(session, claimed):
                    raise _NotOurs

        assert claimed.letter is not None
        channel = self._channels.of(claimed.channel)
        try:
            answer = channel.send(claimed.letter, before_data)
        except _NotOurs:
            return MessageStatus.QUEUED
        except DeliveryError as error:
            refusal = error
            if error.connection:
                self._rest(channel.name, error.retry_after)
            return self._settle(lambda session: deliveries.refused(session, claimed, refusal))
        except Exception as error:  # what the channel did not foresee stops this message only
            log.error("channel failed", message=claimed.id, channel=channel.name, error=type(error).__name__)
            if isinstance(error, Unsure):
                self._rest(channel.name)
            why = str(error) if isinstance(error, Unsure) else type(error).__name__
            return self._settle(lambda session: deliveries.broken(session, claimed, why, self._settings))
        self._rests.pop(channel.name, None)
        self._settle(lambda session: deliveries.sent(session, claimed, answer))
        return MessageStatus.SENT

    def _settle(self, note: Callable[[Session], Settled]) -> Settled:
        """Take down how a message ended; that is known only here, so a busy database is asked again."""
        for _again in range(TRIES - 1):
            try:
                with self._db.transaction() as session:
                    return note(session)
            except DBAPIError as error:
                if not database.is_busy(error):
                    raise
        with self._db.transaction() as session:
            return note(session)

    def _rest(self, channel: Channel, at_least: float | None = None) -> None:
        """Leave a channel alone, twice as long as the last time."""
        before = self._rests.get(channel)
        grown = min(before.length * 2, LONGEST_REST) if before else SHORTEST_REST
        length = max(grown, timedelta(seconds=min(at_least or 0.0, 86400.0)))
        now = clock.now()
        self._rests[channel] = _Rest(grown, now, now + length)
        log.warning("channel rests", channel=channel, seconds=round(length.total_seconds()))

    def _resting(self) -> tuple[Channel, ...]:
        """The names of messages' channels that are left alone now; the two of an e-mail address share one fate."""
        now = clock.now()
        names = [name for name, rest in self._rests.items() if rest.since <= now < rest.until]  # no clock ahead counts
        return tuple({one for name in names for one in channels.of(name).sharing})
